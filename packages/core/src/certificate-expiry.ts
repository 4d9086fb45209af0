import type { PeerVerdict } from './security.ts';

/** Longest delay a Node.js timer can hold, in milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Tells when the first certificate that a peer was verified by expires (RFC 6120 §13.7.2.3). For s2s connections: what
 * was proved long ago is not proved any more. Keeps no process alive.
 */
export class CertificateExpiry {
  readonly #onExpired: () => void;
  #atMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param onExpired called once for each time that passes. */
  constructor(onExpired: () => void) {
    this.#onExpired = onExpired;
  }

  /** The peer was judged; the earliest end counts. */
  note(verdict: PeerVerdict): void {
    if (!verdict.verified || verdict.expiresAtMs >= this.#atMs) return;
    this.#atMs = verdict.expiresAtMs;
    this.#arm();
  }

  /** The connection is over. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#atMs = Number.NEGATIVE_INFINITY;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const delayMs = Math.min(Math.max(0, this.#atMs - Date.now()), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => this.#onTimer(), delayMs);
    this.#timer.unref();
  }

  #onTimer(): void {
    if (Date.now() < this.#atMs) {
      this.#arm();
      return;
    }
    this.#atMs = Number.POSITIVE_INFINITY;
    this.#onExpired();
  }
}
