import type { Observable, Subscriber } from 'rxjs';
import type { TransportError } from './errors.ts';
import { GuardedObservable, type HandlerErrorSink } from './guarded-observable.ts';

type InboxEnd = { readonly error: TransportError | null };

const NOBODY: readonly never[] = Object.freeze([]);

/**
 * Keeps what is pushed until the first subscriber comes, hands it over in order, and is a plain multicast from then on.
 * So a connection or stream that arrives before anyone subscribes is not lost. The pusher bounds how much that can be:
 * it pushes each value once, and drops what has ended meanwhile.
 */
export class Inbox<T> {
  readonly observable: Observable<T>;
  /** Replaced and never changed, so that one who comes or goes during a delivery does not disturb it. */
  #subscribers: readonly Subscriber<T>[] = NOBODY;
  /** Only while something waits: nearly every value is handed over at once. */
  #waiting: Set<T> | null = null;
  #isOpen = false;
  #isHandingOver = false;
  #end: InboxEnd | null = null;

  /** @param onHandlerError receives what a subscriber's handler throws; its other values still reach it. */
  constructor(onHandlerError: HandlerErrorSink<T>) {
    this.observable = new GuardedObservable<T>(onHandlerError, (subscriber) => {
      this.#subscribers = [...this.#subscribers, subscriber];
      this.#isOpen = true;
      this.#handOver();
      return () => {
        const left = this.#subscribers.filter((other) => other !== subscriber);
        this.#subscribers = left.length === 0 ? NOBODY : left;
      };
    });
  }

  /** Values that wait for the first subscriber. */
  get waiting(): number {
    return this.#waiting?.size ?? 0;
  }

  push(value: T): void {
    if (this.#end !== null) return;
    if (this.#isOpen && !this.#isHandingOver) {
      this.#isHandingOver = true;
      for (const subscriber of this.#subscribers) subscriber.next(value);
      this.#isHandingOver = false;
    } else {
      this.#waiting ??= new Set();
      this.#waiting.add(value);
    }
    this.#handOver();
  }

  /** Gives up `value` if it still waits: it has ended, and nobody can use it any more. */
  drop(value: T): void {
    this.#waiting?.delete(value);
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

  /** What a handler has pushed meanwhile, or what has waited for the first one. */
  #handOver(): void {
    if (!this.#isOpen || this.#isHandingOver) return;
    if (this.#waiting !== null) {
      const waiting = this.#waiting;
      this.#isHandingOver = true;
      for (const value of waiting) {
        waiting.delete(value);
        for (const subscriber of this.#subscribers) subscriber.next(value);
      }
      this.#isHandingOver = false;
      this.#waiting = null;
    }
    if (this.#end === null) return;
    for (const subscriber of this.#subscribers) finish(subscriber, this.#end);
  }
}

function finish<T>(subscriber: Subscriber<T>, end: InboxEnd): void {
  if (end.error === null) subscriber.complete();
  else subscriber.error(end.error);
}
