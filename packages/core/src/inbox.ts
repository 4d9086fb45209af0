import type { Observable, Subscriber } from 'rxjs';
import type { TransportError } from './errors.ts';
import { GuardedObservable, type HandlerErrorSink } from './guarded-observable.ts';

type InboxEnd = { readonly error: TransportError | null };

/**
 * Keeps what is pushed until the first subscriber comes, hands it over in order, and is a plain multicast from then on.
 * So a connection or stream that arrives before anyone subscribes is not lost. The pusher bounds how much that can be:
 * it pushes each value once, and drops what has ended meanwhile.
 */
export class Inbox<T> {
  readonly observable: Observable<T>;
  readonly #subscribers = new Set<Subscriber<T>>();
  readonly #waiting = new Set<T>();
  #isOpen = false;
  #isHandingOver = false;
  #end: InboxEnd | null = null;

  /** @param onHandlerError receives what a subscriber's handler throws; its other values still reach it. */
  constructor(onHandlerError: HandlerErrorSink<T>) {
    this.observable = new GuardedObservable<T>(onHandlerError, (subscriber) => {
      this.#subscribers.add(subscriber);
      this.#isOpen = true;
      this.#handOver();
      return () => {
        this.#subscribers.delete(subscriber);
      };
    });
  }

  /** Values that wait for the first subscriber. */
  get waiting(): number {
    return this.#waiting.size;
  }

  push(value: T): void {
    if (this.#end !== null) return;
    this.#waiting.add(value);
    this.#handOver();
  }

  /** Gives up `value` if it still waits: it has ended, and nobody can use it any more. */
  drop(value: T): void {
    this.#waiting.delete(value);
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
    this.#handOver();
  }

  #handOver(): void {
    // What a handler pushes comes behind what waits already.
    if (!this.#isOpen || this.#isHandingOver) return;
    this.#isHandingOver = true;
    for (const value of this.#waiting) {
      this.#waiting.delete(value);
      for (const subscriber of [...this.#subscribers]) subscriber.next(value);
    }
    this.#isHandingOver = false;
    if (this.#end === null) return;
    for (const subscriber of [...this.#subscribers]) finish(subscriber, this.#end);
  }
}

function finish<T>(subscriber: Subscriber<T>, end: InboxEnd): void {
  if (end.error === null) subscriber.complete();
  else subscriber.error(end.error);
}
