import { expect, test } from 'vitest';
import { nextPingAtMs } from './keep-alive.ts';

test('[QT-09] ten thousand connections of one process send their PINGs at thirty moments, none later than asked for', () => {
  const intervalMs = 30_000;
  const moments = new Set<number>();
  for (let connection = 0; connection < 10_000; connection++) {
    const nowMs = 123_456.7 + (connection * intervalMs) / 10_000;
    const atMs = nextPingAtMs(nowMs, intervalMs);
    expect(atMs).toBeLessThanOrEqual(nowMs + intervalMs);
    expect(atMs).toBeGreaterThan(nowMs + intervalMs - 1_001);
    moments.add(atMs);
  }
  expect(moments.size).toBeLessThanOrEqual(31);
});

test('[QT-09] also where the interval is a few milliseconds the next PING is ahead; without one there is none', () => {
  for (const intervalMs of [1, 7, 50]) expect(nextPingAtMs(1_000.3, intervalMs)).toBeGreaterThan(1_000.3);
  expect(nextPingAtMs(5, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
});
