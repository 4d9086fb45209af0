import type { EngineConnection } from '../engine/port.ts';

/** Frames that were lost go before stream bytes; up to so many of these may share the packets with them. */
const MARGIN_BYTES = 12_000;
/** So many are written before the engine is asked again, as it takes its time to answer. */
const STEP_BYTES = 16_384;

/** One from which on nothing was lost. */
interface Moment {
  readonly epoch: number;
  /** Stream bytes the engine had taken. */
  readonly written: number;
  readonly windowBytes: number;
}

/**
 * Which of the frames one side has sent are settled: the engine has seen them acknowledged and has no copy of them under way,
 * so that it never sends them again. That the peer uses what a frame has brought does not say as much: the copy an engine
 * makes for want of an acknowledgement (RFC 9002 §6.2.4) may still be declared lost.
 *
 * The engine does not tell what is in flight. But nothing is while it has no deadline of loss. And where it always has one,
 * what was in flight at some moment cannot be any more, as nothing was lost since and either
 *
 * - two windows of stream bytes were written since: the engine buffers one at most, and one has no room for both, or
 * - the window has more than doubled: it grows by no more than what is acknowledged, and held less than that.
 */
export class Settlement {
  /** Frames of one epoch settle together. */
  #epoch = 0;
  #settledBefore = 0;
  /** Null as long as nobody had to look. */
  #moment: Moment | null = null;
  #packetsLost = 0;
  #hadDeadline = false;
  #lookAgainAt = STEP_BYTES;

  /** Of frames that are queued now. */
  get epoch(): number {
    return this.#epoch;
  }

  isSettled(epoch: number): boolean {
    return epoch < this.#settledBefore;
  }

  /** A deadline of the engine's has passed: it may have declared packets lost, or copied them. */
  onDeadline(): void {
    this.#hadDeadline = true;
  }

  /** Nothing is queued, and nothing is in flight. */
  onQuiet(): void {
    this.#epoch += 1;
    this.#settledBefore = this.#epoch;
  }

  /** Where it is never quiet. To be called when everything was sent that can be now. */
  look(engine: Pick<EngineConnection, 'stats' | 'streamBytesWritten' | 'congestionWindowBytes'>): void {
    const written = engine.streamBytesWritten;
    if (written < this.#lookAgainAt) return;
    this.#lookAgainAt = written + STEP_BYTES;
    const { packetsLost } = engine.stats();
    const windowBytes = engine.congestionWindowBytes;
    const moment = this.#moment;
    if (moment !== null && !this.#hadDeadline && packetsLost === this.#packetsLost) {
      const isOver =
        written - moment.written >= 2 * windowBytes + MARGIN_BYTES ||
        windowBytes >= 2 * moment.windowBytes + MARGIN_BYTES;
      if (!isOver) return;
      this.#settledBefore = Math.max(this.#settledBefore, moment.epoch + 1);
    }
    this.#moment = { epoch: this.#epoch, written, windowBytes };
    this.#epoch += 1;
    this.#packetsLost = packetsLost;
    this.#hadDeadline = false;
  }
}
