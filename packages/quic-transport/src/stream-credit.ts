import { TransportError } from '@stanzaport/core';

interface Waiter {
  resolve(): void;
  reject(error: TransportError): void;
}

/** How long a stream is waited for, in milliseconds. */
const TIMEOUT_MS = 30_000;

/** Those who wait until the peer grants a further stream (RFC 9000 §4.6), first come, first served. */
export class StreamCredit {
  readonly #waiters = new Set<Waiter>();

  /** Whether anyone waits. */
  get isAwaited(): boolean {
    return this.#waiters.size > 0;
  }

  /** Lets the first `count` who wait try again. */
  grant(count: number): void {
    for (const waiter of [...this.#waiters].slice(0, count)) waiter.resolve();
  }

  /** Nothing will be granted any more. */
  fail(error: TransportError): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }

  /** @throws TransportError `XMPP_LIMIT_EXCEEDED` after 30 seconds, `XMPP_ABORTED`, or that of {@link fail}. */
  wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: () => {
          stop();
          resolve();
        },
        reject: (error) => {
          stop();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(new TransportError('XMPP_ABORTED', 'opening a stream was aborted'));
      const timer = setTimeout(
        () => waiter.reject(new TransportError('XMPP_LIMIT_EXCEEDED', 'the peer grants no further stream')),
        TIMEOUT_MS,
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }
}
