/** Moments in one interval of PINGs at which those of all connections are sent. */
const STEPS = 30;

/**
 * When the next PING of a connection is due (RFC 9000 §10.1.2), on the clock of `nowMs`; `Infinity` for never.
 *
 * The PINGs of all connections of a process that are due within one thirtieth of the interval go out together, so that
 * thousands of idle ones wake it, and their server, once a second and not once each. Earlier than asked for, never later.
 * @param intervalMs `Infinity` for no PINGs.
 */
export function nextPingAtMs(nowMs: number, intervalMs: number): number {
  const stepMs = intervalMs / STEPS;
  return Number.isFinite(stepMs) ? Math.floor((nowMs + intervalMs) / stepMs) * stepMs : Number.POSITIVE_INFINITY;
}
