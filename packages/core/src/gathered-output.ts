/** What stanza streams have gathered in this turn of the event loop, each as a function that hands it to the transport. */
let gathered: (() => void)[] = [];

/** Calls `handOver` when the turn's input is dealt with: in {@link handOverOutput}, at the latest on the next tick. */
export function gatherOutput(handOver: () => void): void {
  if (gathered.length === 0) process.nextTick(handOverOutput);
  gathered.push(handOver);
}

/**
 * Hands over now what stanza streams have been given to send, all of them at once, instead of on the next tick. For a
 * transport that has just delivered everything that came in this turn of the event loop: the answers leave with it.
 * @returns whether there was anything.
 */
export function handOverOutput(): boolean {
  const due = gathered;
  if (due.length === 0) return false;
  gathered = [];
  for (const handOver of due) handOver();
  return true;
}
