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

/** The PINGs of one connection: on while it has streams, since an idle connection without any may end. */
export class KeepAlive {
  /** When the next one is due, on the clock of `performance.now()`; `Infinity` for never. */
  dueAtMs: number = Number.POSITIVE_INFINITY;
  #isOn = false;
  #intervalMs = Number.POSITIVE_INFINITY;

  /** @returns whether that changed anything. */
  turn(on: boolean): boolean {
    if (this.#isOn === on) return false;
    this.#isOn = on;
    this.schedule(performance.now());
    return true;
  }

  /**
   * The handshake tells how long the connection may be idle. PINGs are sent more often than at half that time, or a single
   * lost one could end the connection.
   * @param intervalMs asked for; 0 for no PINGs. @param idleTimeoutMs the lower one of both ends, `Infinity` for none.
   */
  establish(intervalMs: number, idleTimeoutMs: number): void {
    if (intervalMs > 0) this.#intervalMs = Math.min(intervalMs, Math.max(1, Math.floor(idleTimeoutMs / 2)));
    this.schedule(performance.now());
  }

  /** The next one, seen from now. */
  schedule(nowMs: number): void {
    this.dueAtMs = this.#isOn ? nextPingAtMs(nowMs, this.#intervalMs) : Number.POSITIVE_INFINITY;
  }
}
