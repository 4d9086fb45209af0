import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createWorkerConnectionIds } from './worker-connection-ids.ts';

const KEY = Buffer.alloc(16, 5);

test('[QT-20] every connection ID names the worker that made it, to all workers', () => {
  const makers = [0, 1, 254, 255].map((number) => ({ number, ids: createWorkerConnectionIds(number, KEY) }));
  for (const { number, ids } of makers) {
    for (let count = 0; count < 100; count++) {
      const id = ids.create();
      expect(id).toHaveLength(ids.bytes);
      for (const reader of makers) {
        expect(reader.ids.workerOf(id)).toBe(number);
        expect(reader.ids.recognizes?.(id)).toBe(true);
      }
    }
  }
});

test('[QT-20] what no worker made names none', () => {
  const ids = createWorkerConnectionIds(0, KEY);
  const stranger = createWorkerConnectionIds(0, Buffer.alloc(16, 6));
  for (let count = 0; count < 1_000; count++) {
    for (const id of [randomBytes(ids.bytes), stranger.create()]) {
      expect(ids.workerOf(id)).toBeNull();
      expect(ids.recognizes?.(id)).toBe(false);
    }
  }
  expect(ids.workerOf(new Uint8Array(0))).toBeNull();
  expect(ids.workerOf(ids.create().subarray(1))).toBeNull();
});

test('[QT-04] nothing in a connection ID tells which worker made it, or which other one it made', () => {
  const { create } = createWorkerConnectionIds(3, KEY);
  const ids = Array.from({ length: 64 }, create);
  // The first byte holds the codepoint of QUIC-LB.
  for (let index = 1; index < 17; index++) expect(new Set(ids.map((id) => id[index])).size).toBeGreaterThan(32);
});
