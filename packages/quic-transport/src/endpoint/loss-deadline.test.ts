import { expect, test } from 'vitest';
import { LossDeadline } from './loss-deadline.ts';

const RTT_MS = 50;
const path = { rttMs: RTT_MS };

test('[QT-05] a deadline near the idle timeout is one of idleness, an earlier one of loss', () => {
  const deadline = new LossDeadline();
  expect(deadline.isOfIdleness(29_990, 30_000, path)).toBe(true);
  expect(deadline.isOfIdleness(140, 30_000, path)).toBe(false);
  expect(deadline.isOfIdleness(null, 30_000, path)).toBe(true);
});

test('[QT-05] without an idle timeout, and where that is no longer than a probe timeout, any is one of loss', () => {
  const deadline = new LossDeadline();
  expect(deadline.isOfIdleness(29_990, Number.POSITIVE_INFINITY, path)).toBe(false);
  expect(deadline.isOfIdleness(400, 500, path)).toBe(false);
});

test.each([10_000, 30_000, 180_000])(
  '[QT-05] probe timeouts that double while nothing is acknowledged are never taken for an idle timeout of %i ms',
  (idleTimeoutMs) => {
    const deadline = new LossDeadline();
    let nowMs = 1_000;
    for (let intervalMs = 175; intervalMs < idleTimeoutMs; intervalMs *= 2) {
      // Also when more is sent, which puts the deadline off.
      expect(deadline.isOfIdleness(intervalMs, idleTimeoutMs, path)).toBe(false);
      nowMs += 1.2 * intervalMs;
      deadline.onPassed(nowMs, RTT_MS);
    }
  },
);

test('[QT-05] after some probe timeouts an idle moment is seen again, and what is doubled is forgotten', () => {
  const deadline = new LossDeadline();
  for (const nowMs of [1_000, 1_175, 1_525, 2_225, 3_625]) deadline.onPassed(nowMs, RTT_MS);
  expect(deadline.isOfIdleness(2_800, 5_000, path)).toBe(false);
  expect(deadline.isOfIdleness(4_990, 5_000, path)).toBe(true);
  expect(deadline.isOfIdleness(2_801, 5_000, path)).toBe(true);
});

test('[QT-05] lone probe timeouts, each with an idle moment after it, do not add up', () => {
  const deadline = new LossDeadline();
  for (let nowMs = 1_000; nowMs < 3_000_000; nowMs += 100_000) {
    deadline.onPassed(nowMs, RTT_MS);
    expect(deadline.isDoubled).toBe(true);
    expect(deadline.isOfIdleness(29_990, 30_000, path)).toBe(true);
    expect(deadline.isDoubled).toBe(false);
  }
});
