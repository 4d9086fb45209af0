/** A quiet moment is waited for while everything goes on, but not longer than that, and not while more is written to streams. */
const PATIENCE = { ms: 100, streamBytes: 8_192 };
/**
 * Then nothing new is sent for as long, at most. What the peer sends can keep something in flight, too: so where that brought
 * nothing, it is tried again after a while, and each time after twice as long.
 */
const HOLD_MS = 1_000;
const PAUSE_MS = 10_000;

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
  #holdUntilMs = 0;
  /** 0 while patience lasts. */
  #nextHoldAtMs = 0;
  #pauseMs = PAUSE_MS;

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
    this.#holdUntilMs = 0;
    this.#nextHoldAtMs = 0;
    this.#pauseMs = PAUSE_MS;
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
    if (nowMs < this.#holdUntilMs) return this.#holdUntilMs;
    if (this.#holdUntilMs > 0) {
      this.#holdUntilMs = 0;
      this.#nextHoldAtMs = nowMs + this.#pauseMs;
      this.#pauseMs *= 2;
    }
    const isPatient =
      this.#nextHoldAtMs === 0 &&
      nowMs - this.#restlessSinceMs < PATIENCE.ms &&
      streamBytesWritten - this.#writtenBefore < PATIENCE.streamBytes;
    if (isPatient || nowMs < this.#nextHoldAtMs) return 0;
    this.#holdUntilMs = nowMs + HOLD_MS;
    return this.#holdUntilMs;
  }
}
