/** A quiet moment is waited for while everything goes on, but not longer than that, and not while more is written to streams. */
const PATIENCE = { ms: 100, streamBytes: 8_192 };
/** Then nothing new is sent for as long, at most, once in a while: what the peer sends can keep something in flight, too. */
const HOLD_MS = 1_000;
const PERIOD_MS = 10_000;

/**
 * Which of the frames one side has sent are settled: the engine has seen them acknowledged and has no copy of them under way,
 * so that it never sends them again. That the peer uses what a frame has brought does not say as much: the copy an engine
 * makes for want of an acknowledgement (RFC 9002 §6.2.4) may still be declared lost.
 *
 * All of them are in a quiet moment, in which nothing is in flight. On a connection on which there is none, one is made, by
 * holding back for a round trip or so what is to be sent.
 */
export class Settlement {
  /** Frames of one epoch settle together. */
  #epoch = 0;
  #settledBefore = 0;
  #restlessSinceMs = 0;
  #writtenBefore = 0;
  #impatientSinceMs = 0;

  /** Of frames that are queued now. */
  get epoch(): number {
    return this.#epoch;
  }

  isSettled(epoch: number): boolean {
    return epoch < this.#settledBefore;
  }

  /** Nothing is queued, and nothing is in flight. */
  onQuiet(): void {
    this.#epoch += 1;
    this.#settledBefore = this.#epoch;
    this.#restlessSinceMs = 0;
    this.#impatientSinceMs = 0;
  }

  /**
   * There are unsettled frames, and it is not quiet.
   * @param streamBytesWritten ever, to the engine.
   * @returns until when nothing new is to be written, on the clock of `nowMs`; 0 where everything may go on.
   */
  onRestless(nowMs: number, streamBytesWritten: number): number {
    if (this.#restlessSinceMs === 0) {
      this.#restlessSinceMs = nowMs;
      this.#writtenBefore = streamBytesWritten;
    }
    if (this.#impatientSinceMs === 0) {
      const isPatient =
        nowMs - this.#restlessSinceMs < PATIENCE.ms && streamBytesWritten - this.#writtenBefore < PATIENCE.streamBytes;
      if (isPatient) return 0;
      this.#impatientSinceMs = nowMs;
    }
    const inPeriodMs = (nowMs - this.#impatientSinceMs) % PERIOD_MS;
    return inPeriodMs < HOLD_MS ? nowMs - inPeriodMs + HOLD_MS : 0;
  }
}
