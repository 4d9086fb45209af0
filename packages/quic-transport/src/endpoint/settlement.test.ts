import { expect, test } from 'vitest';
import { Settlement } from './settlement.ts';

test('[QT-05] what was queued before a quiet moment is settled, what comes after it is not', () => {
  const settlement = new Settlement();
  const first = settlement.epoch;
  expect(settlement.isSettled(first)).toBe(false);
  settlement.onQuiet();
  expect(settlement.isSettled(first)).toBe(true);
  expect(settlement.isSettled(settlement.epoch)).toBe(false);
});

test('[QT-05] a restless connection is held back after a while, for a second in ten', () => {
  const settlement = new Settlement();
  const heldAt = (nowMs: number): boolean => settlement.onRestless(nowMs, 0) > 0;
  expect([5_000, 5_099, 5_100, 6_099, 6_100, 15_099, 15_100, 16_100].map(heldAt)).toEqual([
    false,
    false,
    true,
    true,
    false,
    false,
    true,
    false,
  ]);
  settlement.onQuiet();
  expect(heldAt(16_200)).toBe(false);
});

test('[QT-05] or as soon as it has written 8 KiB, and until the moment it is told', () => {
  const settlement = new Settlement();
  expect(settlement.onRestless(5_000, 1_000)).toBe(0);
  expect(settlement.onRestless(5_001, 9_191)).toBe(0);
  expect(settlement.onRestless(5_002, 9_192)).toBe(6_002);
  expect(settlement.onRestless(5_900, 9_192)).toBe(6_002);
});
