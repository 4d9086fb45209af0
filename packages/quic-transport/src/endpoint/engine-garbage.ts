import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What a connection that used up its byte budget has made the engine hold, in bytes, as seen in the attacks of our tests. */
const HELD_BYTES = 8 * 1024 * 1024;
/** So much may wait for the collector before it is called. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
/** The collector stops everything else meanwhile, so nobody may call it as often as he likes. */
const LEAST_INTERVAL_MS = 250;

/**
 * The engine frees what a connection held when the collector of the JavaScript engine finds the connection; but that one
 * cannot see such memory, and may let hundreds of megabytes wait for it. So it is called when hostile peers have left much.
 */
export class EngineGarbage {
  #waitingBytes = 0;
  #collectedAtMs = Number.NEGATIVE_INFINITY;
  #collect: (() => void) | null = null;

  /** A connection that had used up its byte budget is released. */
  add(): void {
    this.#waitingBytes += HELD_BYTES;
    const nowMs = performance.now();
    if (this.#waitingBytes < MOST_WAITING_BYTES || nowMs - this.#collectedAtMs < LEAST_INTERVAL_MS) return;
    this.#waitingBytes = 0;
    this.#collectedAtMs = nowMs;
    // Not here: those who have just let go of it are still on the stack.
    setImmediate(() => {
      this.#collect ??= collector();
      this.#collect();
    });
  }
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return collect;
}
