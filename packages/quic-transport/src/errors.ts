import { CertificateError, TransportError } from '@stanzaport/core';
import type { ConnectionEnd } from './endpoint/connection-end.ts';
import type { EngineCloseError } from './engine/port.ts';

/** Transport error codes (RFC 9000 §20.1). */
export const TRANSPORT_CODE = {
  noError: 0x00,
  internalError: 0x01,
  connectionRefused: 0x02,
  protocolViolation: 0x0a,
  invalidToken: 0x0b,
  /** CRYPTO_ERROR: 0x0100 plus the TLS alert (RFC 9001 §4.8). */
  cryptoError: 0x0100,
} as const;

/** Application codes. XEP-0467 defines none; these two are sent, and no received one is given a meaning. */
export const APPLICATION_CODE = { normal: 0x00, error: 0x01 } as const;

/** TLS alerts (RFC 8446 §6.2) that say something about certificates. */
const CERTIFICATE_ALERTS: ReadonlySet<number> = new Set([42, 43, 44, 45, 46, 48, 113, 116]);
const NO_APPLICATION_PROTOCOL_ALERT = 120;

/** The TLS alert in a transport error code, or null. */
export function alertOf(code: number): number | null {
  return code >= TRANSPORT_CODE.cryptoError && code <= TRANSPORT_CODE.cryptoError + 0xff
    ? code - TRANSPORT_CODE.cryptoError
    : null;
}

/**
 * Puts the end of a connection into a typed error, or null where it was in order.
 * @param peer for the message. @param unfinished whether streams were still open, which no orderly end leaves.
 */
export function errorOfEnd(end: ConnectionEnd, peer: string, unfinished: boolean): TransportError | null {
  switch (end.type) {
    case 'handshake-timeout':
      return new TransportError('XMPP_HANDSHAKE_TIMEOUT', `${peer} did not complete the QUIC handshake in time`);
    case 'idle-timeout':
      return new TransportError('XMPP_IDLE_TIMEOUT', `nothing was heard from ${peer} for the idle timeout`);
    case 'stateless-reset':
      return new TransportError('XMPP_PEER_RESET', `${peer} has forgotten the connection (stateless reset)`);
    case 'forgotten':
      return new TransportError('XMPP_PEER_RESET', `${peer} answers, but knows nothing of the connection any more`);
    case 'refused':
      return new TransportError('XMPP_REFUSED', `nobody listens at ${peer}`);
    case 'excessive-load':
      return new TransportError('XMPP_LIMIT_EXCEEDED', `${peer} sent too many bytes that carry no XMPP`);
    case 'engine-failed':
      return new TransportError('XMPP_INTERNAL', `the QUIC engine failed on the connection with ${peer}`, {
        cause: end.cause,
      });
    case 'closed':
      return errorOfClose(end.error, end.by, peer, unfinished);
    default:
      return end satisfies never;
  }
}

/** Whose doing an end was. */
export function sideOfEnd(end: ConnectionEnd): 'local' | 'peer' {
  if (end.type === 'excessive-load') return 'local';
  return end.type === 'closed' ? end.by : 'peer';
}

function errorOfClose(
  { application, code, reason }: EngineCloseError,
  by: 'local' | 'peer',
  peer: string,
  unfinished: boolean,
): TransportError | null {
  // XEP-0467 gives application codes no meaning; whatever is not 0 is all the same, and no orderly end.
  const orderly = code === (application ? APPLICATION_CODE.normal : TRANSPORT_CODE.noError);
  if (orderly && !unfinished) return null;
  const said = describe(code, reason);
  if (by === 'local') {
    return orderly || application
      ? new TransportError('XMPP_ABORTED', `the connection with ${peer} was ended by us`, { quicCode: code })
      : violation(code, `${peer} broke the protocol (${said})`);
  }
  if (orderly || application)
    return new TransportError('XMPP_PEER_RESET', `${peer} closed the connection (${said})`, { quicCode: code });
  const alert = alertOf(code);
  if (alert === null) {
    const refused = code === TRANSPORT_CODE.connectionRefused;
    return new TransportError(
      refused ? 'XMPP_REFUSED' : 'XMPP_PEER_RESET',
      `${peer} ${refused ? 'refused' : 'closed'} the connection (${said})`,
      { quicCode: code },
    );
  }
  const details = { alert, quicCode: code };
  if (CERTIFICATE_ALERTS.has(alert)) {
    return new CertificateError('refused-by-peer', null, `${peer} refused our certificate (${said})`, details);
  }
  if (alert === NO_APPLICATION_PROTOCOL_ALERT) {
    return new TransportError('XMPP_NO_APPLICATION_PROTOCOL', `${peer} does not speak XMPP (${said})`, details);
  }
  return new TransportError('XMPP_TLS_FAILED', `${peer} ended the TLS handshake (${said})`, details);
}

function violation(code: number, message: string): TransportError {
  const alert = alertOf(code);
  return alert === null
    ? new TransportError('XMPP_TRANSPORT_VIOLATION', message, { quicCode: code })
    : new TransportError('XMPP_TLS_FAILED', message, { quicCode: code, alert });
}

/** The code in hexadecimal, and the peer's reason phrase made harmless for a log. */
function describe(code: number, reason: Uint8Array): string {
  const text = Buffer.from(reason)
    .toString('utf8')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200);
  return `0x${code.toString(16)}${text === '' ? '' : `: ${text}`}`;
}
