import { TransportError } from './errors.ts';

/**
 * One attempt to connect that several wait for. Each of them may leave; when the last one has, the attempt is called off.
 */
export class SharedConnect<T> {
  readonly #controller = new AbortController();
  readonly #result: Promise<T>;
  #waiting = 0;

  constructor(connect: (signal: AbortSignal) => Promise<T>) {
    // In a microtask, so that the attempt exists before anything of it has happened.
    this.#result = Promise.resolve().then(() => connect(this.#controller.signal));
    // Whoever waits is told; when nobody does any more, nobody has to be.
    this.#result.catch(() => undefined);
  }

  /** Nobody waits for the result any more, so that it will be no good one. */
  get isCalledOff(): boolean {
    return this.#controller.signal.aborted;
  }

  callOff(): void {
    this.#controller.abort();
  }

  /** Resolves when the attempt is over, well or not; does not hold it up. @throws TransportError `XMPP_ABORTED`. */
  async over(signal: AbortSignal | undefined): Promise<void> {
    const over = this.#result.then(
      () => undefined,
      () => undefined,
    );
    await unlessAborted(over, signal);
  }

  /** @throws TransportError that of the attempt, or `XMPP_ABORTED`. */
  async join(signal: AbortSignal | undefined): Promise<T> {
    this.#waiting += 1;
    try {
      return await unlessAborted(this.#result, signal);
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0 && signal?.aborted) this.callOff();
    }
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new TransportError('XMPP_ABORTED', 'opening a stream was aborted'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
