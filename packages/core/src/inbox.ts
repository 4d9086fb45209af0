import type { Observable, Subscriber } from 'rxjs';
import type { TransportError } from './errors.ts';
import { GuardedObservable } from './guarded-observable.ts';

type InboxEnd = { readonly error: TransportError | null };

/**
 * Keeps what is pushed until the first subscriber comes, hands it over in order, and is a plain multicast from then on.
 * So a connection or stream that arrives before anyone subscribes is not lost. The pusher bounds how much that can be.
 */
export class Inbox<T> {
  readonly observable: Observable<T>;
  readonly #subscribers = new Set<Subscriber<T>>();
  #waiting: T[] | null = [];
  #end: InboxEnd | null = null;

  /** @param onHandlerError receives what a subscriber's handler throws; its other values still reach it. */
  constructor(onHandlerError: (thrown: unknown) => void) {
    this.observable = new GuardedObservable<T>(onHandlerError, (subscriber) => {
      this.#subscribers.add(subscriber);
      const waiting = this.#waiting ?? [];
      this.#waiting = null;
      for (const value of waiting) subscriber.next(value);
      if (this.#end !== null) finish(subscriber, this.#end);
      return () => {
        this.#subscribers.delete(subscriber);
      };
    });
  }

  /** Values that wait for the first subscriber. */
  get waiting(): number {
    return this.#waiting?.length ?? 0;
  }

  push(value: T): void {
    if (this.#end !== null) return;
    if (this.#waiting !== null) {
      this.#waiting.push(value);
      return;
    }
    for (const subscriber of [...this.#subscribers]) subscriber.next(value);
  }

  complete(): void {
    this.#finish({ error: null });
  }

  fail(error: TransportError): void {
    this.#finish({ error });
  }

  #finish(end: InboxEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    for (const subscriber of [...this.#subscribers]) finish(subscriber, end);
  }
}

function finish<T>(subscriber: Subscriber<T>, end: InboxEnd): void {
  if (end.error === null) subscriber.complete();
  else subscriber.error(end.error);
}
