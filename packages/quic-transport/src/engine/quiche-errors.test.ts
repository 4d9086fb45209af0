import { expect, test } from 'vitest';
import { EngineError } from './port.ts';
import { toEngineError } from './quiche-errors.ts';

test.each([
  ['StreamReset(42)', 'stream', 'stream-reset', 42],
  ['StreamReset(42)', 'receive', 'protocol', null],
  ['StreamStopped(0)', 'stream', 'stream-stopped', 0],
  ['StreamReset(4611686018427387903)', 'stream', 'stream-reset', 2 ** 62],
  ['StreamStopped(9007199254740993)', 'stream', 'stream-stopped', 2 ** 53],
  ['InvalidStreamState(4)', 'stream', 'stream-unknown', null],
  ['InvalidStreamState(4)', 'receive', 'protocol', null],
  ['StreamLimit', 'stream', 'stream-limit', null],
  ['StreamLimit', 'receive', 'protocol', null],
  ['FinalSize', 'stream', 'stream-finished', null],
  ['FinalSize', 'receive', 'protocol', null],
  ['TlsFail', 'receive', 'tls', null],
  ['InvalidState', 'other', 'misuse', null],
  ['Something new', 'receive', 'protocol', null],
  ['Something new', 'stream', 'misuse', null],
  ['constructor', 'stream', 'misuse', null],
] as const)('[QT-14] %s while in %s: %s, code %s', (text, activity, failure, code) => {
  const error = toEngineError(new Error(text), activity);
  expect(error).toBeInstanceOf(EngineError);
  expect(error).toMatchObject({ failure, code, message: text });
});

test('[QT-14] what is no Error, and what is an EngineError already', () => {
  expect(toEngineError('text', 'other')).toMatchObject({ failure: 'misuse', message: 'text' });
  const given = new EngineError('tls', 'given');
  expect(toEngineError(given, 'stream')).toBe(given);
});
