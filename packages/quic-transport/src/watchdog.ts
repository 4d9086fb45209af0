import { Worker } from 'node:worker_threads';

/**
 * Runs in a thread of its own, which never loads the native engine: the engine bears one thread only. An odd count means
 * that the main thread is inside the engine; an odd count that does not change is a call that does not return.
 */
const WORKER_SOURCE = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const count = new Int32Array(workerData.shared);
let seen = 0;
setInterval(() => {
  const now = Atomics.load(count, 0);
  if ((now & 1) === 1 && now === seen) {
    writeSync(2, 'stanzaport: a call into the QUIC engine has not returned for ' + workerData.stallMs
      + ' ms; ending the process\\n');
    process.kill(process.pid, 'SIGKILL');
  }
  seen = now;
}, workerData.stallMs);
`;

/**
 * Ends the process when a call into the native engine does not return. No JavaScript can run in that state, so nothing
 * gentler is possible; a supervisor starts the process again. One per process, shared by all transports in it.
 */
export class Watchdog {
  static #shared: Watchdog | null = null;

  readonly #count = new Int32Array(new SharedArrayBuffer(4));
  #steps = 0;
  readonly #worker: Worker | null;
  /** Resolves when the thread runs; a stall before that is not seen. */
  readonly ready: Promise<void>;
  #users = 0;

  private constructor(stallMs: number) {
    if (stallMs === 0) {
      this.#worker = null;
      this.ready = Promise.resolve();
      return;
    }
    const workerData = { shared: this.#count.buffer, stallMs };
    const worker = new Worker(WORKER_SOURCE, { eval: true, workerData, execArgv: [], env: {}, stdin: false });
    worker.unref();
    // Without the thread nothing is watched, which is no reason to fall over.
    worker.on('error', () => undefined);
    this.ready = new Promise((resolve) => {
      worker.once('online', resolve);
    });
    this.#worker = worker;
  }

  /** @param stallMs how long one call may take, in milliseconds; 0 for a watchdog that never bites. */
  static acquire(stallMs: number): Watchdog {
    if (stallMs === 0) return new Watchdog(0);
    Watchdog.#shared ??= new Watchdog(stallMs);
    Watchdog.#shared.#users += 1;
    return Watchdog.#shared;
  }

  /** The counterpart of {@link acquire}; the last user's release ends the thread. */
  async release(): Promise<void> {
    if (this.#worker === null) return;
    this.#users -= 1;
    if (this.#users > 0) return;
    if (Watchdog.#shared === this) Watchdog.#shared = null;
    await this.#worker.terminate();
  }

  /** Before a call into the engine. Cheap enough for every datagram. */
  enter(): void {
    this.#step();
  }

  /** After it, also when it threw. */
  leave(): void {
    this.#step();
  }

  /** One thread writes, one word is never torn, and the other may see it late: nothing here has to be atomic. */
  #step(): void {
    this.#steps = (this.#steps + 1) | 0;
    this.#count[0] = this.#steps;
  }
}
