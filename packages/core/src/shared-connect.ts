import { unlessAborted } from './cancellable.ts';

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
    await unlessAborted(over, signal, 'opening a stream');
  }

  /** @throws TransportError that of the attempt, or `XMPP_ABORTED`. */
  async join(signal: AbortSignal | undefined): Promise<T> {
    this.#waiting += 1;
    try {
      return await unlessAborted(this.#result, signal, 'opening a stream');
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0 && signal?.aborted) this.callOff();
    }
  }
}
