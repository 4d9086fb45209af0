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

test('[QT-05] a restless connection is held back after a while, for a second, and again after ever longer pauses', () => {
  const settlement = new Settlement();
  const changes: number[] = [];
  let wasHeld = false;
  for (let nowMs = 5_000; nowMs < 45_000; nowMs += 50) {
    const isHeld = settlement.onRestless(nowMs, 0) > 0;
    if (isHeld !== wasHeld) changes.push(nowMs);
    wasHeld = isHeld;
  }
  expect(changes).toEqual([5_100, 6_100, 16_100, 17_100, 37_100, 38_100]);
  settlement.onQuiet();
  expect(settlement.onRestless(45_000, 0)).toBe(0);
  expect(settlement.onRestless(45_100, 0)).toBe(46_100);
});

test('[QT-05] or as soon as it has written 8 KiB, and until the moment it is told', () => {
  const settlement = new Settlement();
  expect(settlement.onRestless(5_000, 1_000)).toBe(0);
  expect(settlement.onRestless(5_001, 9_191)).toBe(0);
  expect(settlement.onRestless(5_002, 9_192)).toBe(6_002);
  expect(settlement.onRestless(5_900, 9_192)).toBe(6_002);
});
