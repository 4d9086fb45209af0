import type { PathWatcher } from './driver-owner.ts';

/**
 * The engine knows the reset token of the handshake's connection ID only. But a server that answers every probe, and with
 * nothing that could be read, has forgotten the connection; nobody who cannot keep its own answers away can feign that.
 */
const FORGOTTEN = { probeTimeouts: 3, meaninglessAnswers: 2 };
/** A probe timeout so many times the usual one has been doubled twice. Asked for seldom, as the round trip takes its time to tell. */
const BACKOFF = { factor: 3.5, roundTrips: 2, intervalMs: 50, settlingProbes: 6 };
/** `max_ack_delay` of RFC 9000 §18.2, part of every probe timeout (RFC 9002 §6.2.1). */
const MAX_ACK_DELAY_MS = 25;
const LONGEST_PROBE_TIMEOUT_MS = 1_000;

/** How long it takes to see that an answer does not come (RFC 9002 §6.2.1), in milliseconds. */
export const probeTimeoutOf = (rttMs: number): number =>
  Math.min(3 * rttMs + MAX_ACK_DELAY_MS, LONGEST_PROBE_TIMEOUT_MS);

/** What it means that the peer is not heard, or does not acknowledge. */
export class Silence {
  /** Probe timeouts since something authentic came, or a client moved. */
  #probeTimeouts = 0;
  /** The same, whether it moved or not. */
  #allProbeTimeouts = 0;
  /** Datagrams since then that were not authentic: a server that has forgotten us sends such ones (RFC 9000 §10.3). */
  #meaninglessAnswers = 0;
  /** Concluded at a probe timeout only, so that what is on its way has had its time. */
  #meansForgotten = false;
  #lookAgainAtMs = 0;

  /** Whether a probe timeout has passed since something authentic came; on a client that moved, since it did. */
  get isOnThisPath(): boolean {
    return this.#probeTimeouts > 0;
  }

  /** Whether one has passed since something authentic came, on whichever path. */
  get isOnAnyPath(): boolean {
    return this.#allProbeTimeouts > 0;
  }

  /** Whether the peer answers, and with nothing that could be read. */
  get meansForgotten(): boolean {
    return this.#meansForgotten;
  }

  onAuthentic(): void {
    this.#probeTimeouts = 0;
    this.#allProbeTimeouts = 0;
    this.#meaninglessAnswers = 0;
  }

  onMeaningless(): void {
    this.#meaninglessAnswers += 1;
  }

  /** @returns probe timeouts in a row on this path. */
  onProbeTimeout(): number {
    this.#allProbeTimeouts += 1;
    this.#probeTimeouts += 1;
    this.#meansForgotten =
      this.#allProbeTimeouts >= FORGOTTEN.probeTimeouts && this.#meaninglessAnswers >= FORGOTTEN.meaninglessAnswers;
    return this.#probeTimeouts;
  }

  /**
   * A client goes over to another path. What was doubled on the old one stays so until the new one has had time to
   * acknowledge something.
   */
  onMoved(nextProbeAtMs: number, probeTimeoutMs: number): void {
    this.#probeTimeouts = 0;
    this.#lookAgainAtMs = nextProbeAtMs + BACKOFF.settlingProbes * probeTimeoutMs;
  }

  /**
   * Where only our direction is dead, the peer is heard all the time, and each stanza we send puts the probe timeout off. But
   * the engine doubles it with each that passes without an acknowledgement, and that can be seen.
   * @param deadlineMs the engine's, in so many milliseconds; one of loss.
   */
  lookForBackoff(watcher: PathWatcher, engine: { readonly rttMs: number }, deadlineMs: number, nowMs: number): void {
    if (deadlineMs < BACKOFF.factor * MAX_ACK_DELAY_MS || nowMs < this.#lookAgainAtMs) return;
    this.#lookAgainAtMs = nowMs + BACKOFF.intervalMs;
    const usualMs = BACKOFF.roundTrips * engine.rttMs + MAX_ACK_DELAY_MS;
    if (deadlineMs >= BACKOFF.factor * usualMs) watcher.onBackoff();
  }
}
