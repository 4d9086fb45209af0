import { type EngineConnection, EngineError } from './engine/port.ts';

/** How many are looked at together while nobody waits. */
const BATCH = 32;

/** Streams that are over on this side, whose last bytes the peer may not have acknowledged. */
export class UnacknowledgedStreams {
  readonly #engine: EngineConnection;
  readonly #isQuiet: () => boolean;
  /** Null as long as no stream has ended. */
  #ids: Set<number> | null = null;
  #onAcknowledged: (() => void) | null = null;

  /** @param isQuiet whether no stream is still handing over its last words. */
  constructor(engine: EngineConnection, isQuiet: () => boolean) {
    this.#engine = engine;
    this.#isQuiet = isQuiet;
  }

  /** Whether somebody waits until there are none. */
  get isAwaited(): boolean {
    return this.#onAcknowledged !== null;
  }

  has(streamId: number): boolean {
    return this.#ids?.has(streamId) ?? false;
  }

  add(streamId: number): void {
    this.#ids ??= new Set();
    this.#ids.add(streamId);
    if (this.#ids.size >= BATCH) this.#dropAcknowledged(this.#ids);
  }

  /** Resolves when the peer has acknowledged the last byte of every stream, at the latest after `timeoutMs`. */
  none(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.giveUp(), Math.max(0, timeoutMs));
      this.#onAcknowledged = () => {
        clearTimeout(timer);
        resolve();
      };
      this.look();
    });
  }

  /** Looks whether what is awaited has come true. */
  look(): void {
    if (this.#onAcknowledged === null) return;
    if (this.#ids !== null) this.#dropAcknowledged(this.#ids);
    if (this.#isQuiet() && (this.#ids?.size ?? 0) === 0) this.giveUp();
  }

  /** Whoever waits goes on. */
  giveUp(): void {
    const done = this.#onAcknowledged;
    this.#onAcknowledged = null;
    done?.();
  }

  #dropAcknowledged(streamIds: Set<number>): void {
    for (const streamId of streamIds) {
      try {
        this.#engine.capacity(streamId);
      } catch (thrown) {
        // The engine forgets a stream when both of its directions are done and acknowledged.
        const forgotten = thrown instanceof EngineError && thrown.failure === 'stream-unknown';
        if (forgotten) streamIds.delete(streamId);
      }
    }
  }
}
