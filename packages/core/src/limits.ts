import { TransportError } from './errors.ts';

/**
 * All that a peer can make grow or wait, with its bound. Every field has a default ({@link DEFAULT_LIMITS});
 * `docs/limits.md` shows them on one page together with those of the transports.
 */
export interface Limits {
  /** First-level element after authentication, in bytes as received; at least 10,000 (RFC 6120 §13.12). */
  readonly maxStanzaBytes: number;
  /** First-level element before authentication, in bytes as received; at least 10,000 (RFC 6120 §13.12). */
  readonly maxUnauthenticatedStanzaBytes: number;
  /** All bytes up to and including the `>` of the stream header, in bytes. */
  readonly maxHeaderBytes: number;
  /** Nesting of elements; the root of the stream is depth 1, a stanza depth 2. */
  readonly maxDepth: number;
  /** Attributes of one element, namespace declarations included. */
  readonly maxAttributes: number;
  /** From a stream that is ready to its complete header, in milliseconds. */
  readonly headerTimeoutMs: number;
  /** From a stream that is ready to {@link StanzaStream.markAuthenticated}, in milliseconds. */
  readonly authenticationTimeoutMs: number;
  /** How long a closing handshake (RFC 6120 §4.4) may take, in milliseconds. */
  readonly closeTimeoutMs: number;
  /** Queued bytes from which `send` returns false. */
  readonly sendHighWaterMarkBytes: number;
  /** Queued bytes beyond which the stanza stream ends with `limit`. */
  readonly maxSendQueueBytes: number;
  /** Whole handshake of a connection (TCP and TLS, or QUIC), in milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** Unfinished handshakes of one listener. */
  readonly maxPendingHandshakes: number;
  /** Unfinished handshakes of one listener from one IP address. */
  readonly maxPendingHandshakesPerAddress: number;
}

/** The defaults of {@link Limits}. */
export const DEFAULT_LIMITS: Limits = Object.freeze({
  maxStanzaBytes: 262_144,
  maxUnauthenticatedStanzaBytes: 65_536,
  maxHeaderBytes: 8_192,
  maxDepth: 128,
  maxAttributes: 100,
  headerTimeoutMs: 10_000,
  authenticationTimeoutMs: 60_000,
  closeTimeoutMs: 5_000,
  sendHighWaterMarkBytes: 262_144,
  maxSendQueueBytes: 1_048_576,
  handshakeTimeoutMs: 10_000,
  maxPendingHandshakes: 1_000,
  maxPendingHandshakesPerAddress: 32,
});

/** RFC 6120 §13.12: a deployment must not set the stanza size limit below this many bytes. */
const SMALLEST_STANZA_LIMIT = 10_000;

const MINIMA: Partial<Record<keyof Limits, number>> = {
  maxStanzaBytes: SMALLEST_STANZA_LIMIT,
  maxUnauthenticatedStanzaBytes: SMALLEST_STANZA_LIMIT,
  maxDepth: 3,
};

/** Longest delay a Node.js timer can hold; beyond it the timer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Completes `given` with the defaults and checks every value.
 * @throws TransportError `XMPP_BAD_OPTION`, naming the field, when a value is not a whole number in its range.
 */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  const limits = { ...DEFAULT_LIMITS, ...withoutUndefined(given) };
  for (const [name, value] of Object.entries(limits) as [keyof Limits, number][]) {
    if (!(name in DEFAULT_LIMITS)) {
      throw new TransportError('XMPP_BAD_OPTION', `limits.${name}: there is no such limit`);
    }
    const least = MINIMA[name] ?? 1;
    const most = name.endsWith('Ms') ? LONGEST_TIMER_MS : Number.MAX_SAFE_INTEGER;
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw new TransportError(
        'XMPP_BAD_OPTION',
        `limits.${name}: ${value} is not a whole number from ${least} to ${most}`,
      );
    }
  }
  if (limits.maxSendQueueBytes < limits.sendHighWaterMarkBytes) {
    throw new TransportError('XMPP_BAD_OPTION', 'limits.maxSendQueueBytes: must not be below sendHighWaterMarkBytes');
  }
  return Object.freeze(limits);
}

function withoutUndefined<T extends object>(given: T): Partial<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>;
}
