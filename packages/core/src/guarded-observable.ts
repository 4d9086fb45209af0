import { Observable, type Observer, type Operator, type Subscriber, type Subscription, type TeardownLogic } from 'rxjs';

/**
 * Receives what a handler threw or rejected with, and the value it was handling; undefined for a handler of the end, or one
 * behind operators, of whose values the source knows nothing.
 */
export type HandlerErrorSink<T> = (thrown: unknown, value: T | undefined) => void;

/**
 * An Observable whose handlers cannot hurt anyone else. RxJS reports what a handler throws, and an error nobody
 * handles, by throwing again from a timer, which ends the process; a peer could do that to a server by resetting a
 * stream. Here the fault of a handler, also a rejected promise of an async one, goes to `onHandlerError`, and an error
 * without a handler is dropped (the stream's `closed` tells it too). Operators piped behind keep this property.
 */
export class GuardedObservable<T> extends Observable<T> {
  readonly #onHandlerError: HandlerErrorSink<T>;

  constructor(
    onHandlerError: HandlerErrorSink<T>,
    subscribe?: (this: Observable<T>, subscriber: Subscriber<T>) => TeardownLogic,
  ) {
    super(subscribe);
    this.#onHandlerError = onHandlerError;
  }

  /** RxJS calls this for every operator piped behind; it is how the result stays guarded. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>((thrown) => this.#onHandlerError(thrown, undefined));
    lifted.source = this;
    lifted.operator = operator as Operator<unknown, R> | undefined;
    return lifted;
  }

  override subscribe(observer?: Partial<Observer<T>>): Subscription;
  override subscribe(next: (value: T) => void): Subscription;
  /** @deprecated RxJS keeps this form for compatibility, so it is guarded too. */
  override subscribe(
    next?: ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription;
  override subscribe(
    observerOrNext?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // RxJS itself subscribes operators with a Subscriber of its own, which must reach the source as it is.
    if (isSubscriber(observerOrNext)) return super.subscribe(observerOrNext);
    const given: Partial<Observer<T>> =
      typeof observerOrNext === 'function' || observerOrNext == null
        ? {
            ...(observerOrNext ? { next: observerOrNext } : {}),
            ...(error ? { error } : {}),
            ...(complete ? { complete } : {}),
          }
        : observerOrNext;
    return super.subscribe(new GuardedObserver(given, this.#onHandlerError));
  }
}

/** Calls the handlers of an observer, and gives away what they throw. */
class GuardedObserver<T> implements Observer<T> {
  readonly #observer: Partial<Observer<T>>;
  readonly #onHandlerError: HandlerErrorSink<T>;

  constructor(observer: Partial<Observer<T>>, onHandlerError: HandlerErrorSink<T>) {
    this.#observer = observer;
    this.#onHandlerError = onHandlerError;
  }

  next(value: T): void {
    this.#call(this.#observer.next, value, value);
  }

  error(failure: unknown): void {
    this.#call(this.#observer.error, failure, undefined);
  }

  complete(): void {
    this.#call(this.#observer.complete, undefined as never, undefined);
  }

  #call<V>(handler: ((argument: V) => unknown) | undefined, argument: V, value: T | undefined): void {
    if (handler === undefined) return;
    try {
      const result: unknown = handler.call(this.#observer, argument);
      if (result instanceof Promise) result.catch((thrown: unknown) => this.#onHandlerError(thrown, value));
    } catch (thrown) {
      this.#onHandlerError(thrown, value);
    }
  }
}

function isSubscriber<T>(value: unknown): value is Subscriber<T> {
  return typeof value === 'object' && value !== null && 'isStopped' in value && 'unsubscribe' in value;
}
