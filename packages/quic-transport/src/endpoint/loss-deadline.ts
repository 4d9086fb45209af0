/**
 * No probe timeout that was not doubled is longer (RFC 9002 §6.2.1): the variation of round trips, an average like the round
 * trip itself but a quicker one, is at most twice as much, and four times that is added.
 */
const longestProbeTimeoutOf = (rttMs: number): number => 9 * rttMs + 100;

/**
 * Tells whether anything is in flight, which the engine does not, by its deadline: that of loss as long as anything is not
 * acknowledged, and the later one of idleness else.
 */
export class LossDeadline {
  /** No deadline of loss is further away, if one has passed since nothing was in flight. */
  #boundMs = 0;
  #passedAtMs = 0;

  /** Whether one has passed, and {@link isOfIdleness} was not true since: it is to be asked, or the bound would grow for ever. */
  get isDoubled(): boolean {
    return this.#boundMs > 0;
  }

  /** One of loss has passed: the next one may come after twice the time, unless an acknowledgement comes first. */
  onPassed(nowMs: number, rttMs: number): void {
    const leastMs = longestProbeTimeoutOf(rttMs);
    // The time between two is no less than what is doubled now, as sending only puts them off.
    const doubledMs = 2 * Math.min(nowMs - this.#passedAtMs, Math.max(leastMs, this.#boundMs));
    this.#boundMs = Math.max(leastMs, doubledMs);
    this.#passedAtMs = nowMs;
  }

  /**
   * @param deadlineMs the engine's, in so many milliseconds, in a turn in which something has happened; null for none.
   * @param idleTimeoutMs the lower one of both ends; `Infinity` for none.
   * @returns whether nothing is in flight for certain.
   */
  isOfIdleness(deadlineMs: number | null, idleTimeoutMs: number, path: { readonly rttMs: number }): boolean {
    if (deadlineMs === null) return true;
    if (deadlineMs <= idleTimeoutMs / 2 || deadlineMs <= this.#boundMs) return false;
    if (deadlineMs <= longestProbeTimeoutOf(path.rttMs)) return false;
    this.#boundMs = 0;
    return true;
  }
}
