/** Keeps what has come until somebody asks for it, in order. */
export class Mailbox<T> {
  readonly #items: T[] = [];
  readonly #waiters = new Set<{ readonly wants: (item: T) => boolean; readonly take: (item: T) => void }>();
  #end: { readonly error: unknown } | null = null;
  readonly #onEnd = new Set<(error: unknown) => void>();

  put(item: T): void {
    for (const waiter of this.#waiters) {
      if (!waiter.wants(item)) continue;
      this.#waiters.delete(waiter);
      waiter.take(item);
      return;
    }
    this.#items.push(item);
  }

  /** Nothing more will come: whoever waits gets `error`. */
  end(error: unknown): void {
    if (this.#end !== null) return;
    this.#end = { error };
    for (const reject of this.#onEnd) reject(error);
  }

  /** The first item that `wants` takes, now or later. Rejects with the signal's reason, and when nothing more comes. */
  async take(wants: (item: T) => boolean, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const index = this.#items.findIndex(wants);
    const found = index < 0 ? undefined : this.#items.splice(index, 1)[0];
    if (found !== undefined) return found;
    if (this.#end !== null) throw this.#end.error;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#waiters.delete(waiter);
        this.#onEnd.delete(onEnd);
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      const waiter = { wants, take: (item: T) => settle(() => resolve(item)) };
      const onEnd = (error: unknown): void => settle(() => reject(error));
      const onAbort = (): void => settle(() => reject(signal?.reason));
      this.#waiters.add(waiter);
      this.#onEnd.add(onEnd);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
