import { Observable, Subject } from 'rxjs';
import { expect, test } from 'vitest';
import type { Connection, StanzaStream } from './connection.ts';
import { TransportError } from './errors.ts';
import { mergeStreams } from './merge-streams.ts';

/** What the hub makes of it, with the streams as the names they have here. */
function stage() {
  const connections$ = new Subject<Connection>();
  const told: string[] = [];
  const streams$ = new Observable<StanzaStream>((subscriber) => mergeStreams(connections$, subscriber));
  const subscription = streams$.subscribe({
    next: ({ id }) => told.push(id),
    error: () => told.push('error'),
    complete: () => told.push('complete'),
  });
  const add = (): Subject<StanzaStream> => {
    const streams = new Subject<StanzaStream>();
    connections$.next({ streams$: streams as Observable<StanzaStream> } as Connection);
    return streams;
  };
  const stream = (id: string): StanzaStream => ({ id }) as StanzaStream;
  return { connections$, told, subscription, add, stream };
}

test('[TC-07] streams of all connections come in their order; the end comes when all have ended', () => {
  const { connections$, told, add, stream } = stage();
  const [one, other] = [add(), add()];
  one.next(stream('a'));
  other.next(stream('b'));
  one.next(stream('c'));
  one.complete();
  connections$.complete();
  other.next(stream('d'));
  expect(told).toEqual(['a', 'b', 'c', 'd']);
  other.complete();
  expect(told.at(-1)).toBe('complete');
});

test('[TC-11] a connection that fails ends nothing but itself', () => {
  const { connections$, told, add, stream } = stage();
  const [one, other] = [add(), add()];
  one.error(new TransportError('XMPP_PEER_RESET', 'gone'));
  other.next(stream('a'));
  connections$.complete();
  other.complete();
  expect(told).toEqual(['a', 'complete']);
});

test('[TC-07] a connection without streams, and one that has ended already, do not hold the end up', () => {
  const { connections$, told, add } = stage();
  add().complete();
  const ended = new Subject<StanzaStream>();
  ended.complete();
  connections$.next({ streams$: ended as Observable<StanzaStream> } as Connection);
  connections$.complete();
  expect(told).toEqual(['complete']);
});

test('[TC-08] who leaves is left by every connection', () => {
  const { connections$, told, subscription, add, stream } = stage();
  const one = add();
  subscription.unsubscribe();
  one.next(stream('a'));
  expect([connections$.observed, one.observed, told]).toEqual([false, false, []]);
});
