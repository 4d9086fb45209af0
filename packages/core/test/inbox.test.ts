import { Inbox } from '@stanzaport/core';
import { expect, test } from 'vitest';

const rethrow = (thrown: unknown): never => {
  throw thrown;
};

test('[TC-08] an inbox gives up what its pusher drops, and keeps the others in order', () => {
  const inbox = new Inbox<string>(rethrow);
  for (const value of ['a', 'b', 'c']) inbox.push(value);
  inbox.drop('b');
  inbox.drop('b');
  inbox.drop('never pushed');
  expect(inbox.waiting).toBe(2);
  const taken: string[] = [];
  inbox.observable.subscribe((value) => taken.push(value));
  expect(taken).toEqual(['a', 'c']);
  expect(inbox.waiting).toBe(0);
  inbox.push('d');
  inbox.drop('d');
  expect(taken).toEqual(['a', 'c', 'd']);
});

test('[TC-08] a handler that drops what still waits while it is handed over does not get it', () => {
  const inbox = new Inbox<string>(rethrow);
  for (const value of ['a', 'b', 'c']) inbox.push(value);
  const taken: string[] = [];
  inbox.observable.subscribe((value) => {
    taken.push(value);
    if (value === 'a') inbox.push('d');
    if (value === 'a') inbox.drop('b');
  });
  expect(taken).toEqual(['a', 'c', 'd']);
});
