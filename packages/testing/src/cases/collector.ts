import type { Observable, Subscription } from 'rxjs';

/** How an observable ended. */
export type Ending = { readonly type: 'complete' } | { readonly type: 'error'; readonly error: unknown };

/** Everything an observable has emitted, and what it will, one by one. */
export interface Collector<T> {
  readonly values: readonly T[];
  /** Each end it told; a good observable tells one. */
  readonly endings: readonly Ending[];
  /** The first value not taken yet; rejects when the observable ends first. */
  next(): Promise<T>;
  /** Resolves with the end. */
  readonly ended: Promise<Ending>;
  unsubscribe(): void;
}

/** Subscribes at once and keeps everything; `onValue` hears of each value too. */
export function collect<T>(observable: Observable<T>, onValue: (value: T) => void = () => undefined): Collector<T> {
  const values: T[] = [];
  const endings: Ending[] = [];
  let taken = 0;
  let wake: () => void = () => undefined;
  let settleEnded: (ending: Ending) => void = () => undefined;
  const ended = new Promise<Ending>((resolve) => {
    settleEnded = resolve;
  });
  const end = (ending: Ending): void => {
    endings.push(ending);
    settleEnded(ending);
    wake();
  };
  const subscription: Subscription = observable.subscribe({
    next: (value) => {
      values.push(value);
      wake();
      onValue(value);
    },
    error: (error: unknown) => end({ type: 'error', error }),
    complete: () => end({ type: 'complete' }),
  });
  return {
    values,
    endings,
    ended,
    async next(): Promise<T> {
      while (taken >= values.length) {
        const [ending] = endings;
        if (ending?.type === 'error') throw ending.error;
        if (ending !== undefined) throw new Error('the observable completed before the next value');
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      taken += 1;
      return values[taken - 1] as T;
    },
    unsubscribe: () => subscription.unsubscribe(),
  };
}
