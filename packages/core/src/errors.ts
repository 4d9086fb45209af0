/**
 * What kind of failure it was, independent of the transport. Programs branch on the category; people read the
 * message. Each {@link ErrorCode} belongs to exactly one category.
 */
export type ErrorCategory =
  | 'dns'
  | 'discovery'
  | 'unreachable'
  | 'refused'
  | 'timeout'
  | 'tls'
  | 'certificate'
  | 'alpn'
  | 'protocol'
  | 'xml'
  | 'limit'
  | 'peer-error'
  | 'peer-closed'
  | 'peer-reset'
  | 'aborted'
  | 'shutdown'
  | 'config'
  | 'internal';

/** Every code of this library with its category. Codes are stable: match them, never the message. */
export const ERROR_CATEGORIES = {
  /** An option has a value that can never work. */
  XMPP_BAD_OPTION: 'config',
  /** `listen`: another socket has the address and port (EADDRINUSE). */
  XMPP_ADDRESS_IN_USE: 'config',
  /** `listen` or `connect`: the local address does not exist here, or binding it is not permitted. */
  XMPP_ADDRESS_UNAVAILABLE: 'config',
  /** A certificate or key cannot be read, cannot be parsed, or the two do not fit each other. */
  XMPP_BAD_CREDENTIAL: 'config',
  /** The set of trust anchors is empty or holds something that is no certificate. */
  XMPP_BAD_TRUST_ANCHORS: 'config',
  /** A call on something that has been closed, or in a state that does not allow it. */
  XMPP_INVALID_STATE: 'config',
  /** A host name could not be resolved. */
  XMPP_NAME_NOT_RESOLVED: 'dns',
  /** No route, or the local network is down. */
  XMPP_UNREACHABLE: 'unreachable',
  /** The peer's host refuses (ICMP port unreachable, TCP reset, QUIC CONNECTION_REFUSED). */
  XMPP_REFUSED: 'refused',
  /** The handshake was not complete in time. */
  XMPP_HANDSHAKE_TIMEOUT: 'timeout',
  /** Nothing was heard from the peer for the idle timeout (RFC 9000 §10.1). */
  XMPP_IDLE_TIMEOUT: 'timeout',
  /** The peer's closing tag, or the end of its bytes, did not come within the close timeout (RFC 6120 §4.4). */
  XMPP_CLOSE_TIMEOUT: 'timeout',
  /** The TLS handshake failed for another reason than certificates or ALPN. */
  XMPP_TLS_FAILED: 'tls',
  /** The peer's certificate was refused, or the peer refused ours. */
  XMPP_CERTIFICATE_REFUSED: 'certificate',
  /** No common application protocol (RFC 7301). */
  XMPP_NO_APPLICATION_PROTOCOL: 'alpn',
  /** The peer broke the rules of the transport protocol. */
  XMPP_TRANSPORT_VIOLATION: 'protocol',
  /** Malformed or forbidden XML, or a broken rule of XML streams; a {@link StreamError} says which. */
  XMPP_BAD_STREAM: 'xml',
  /** A limit of ours was passed, by the peer or by the caller. */
  XMPP_LIMIT_EXCEEDED: 'limit',
  /** The peer sent `<stream:error/>`. */
  XMPP_PEER_STREAM_ERROR: 'peer-error',
  /** The bytes ended in order, but without a closing tag. */
  XMPP_PEER_CLOSED: 'peer-closed',
  /** The peer reset the stream, asked us to stop sending, or closed the connection with an error. */
  XMPP_PEER_RESET: 'peer-reset',
  /** The caller's AbortSignal, or the caller's `abort()`. */
  XMPP_ABORTED: 'aborted',
  /** We are shutting down. */
  XMPP_SHUTDOWN: 'shutdown',
  /** A handler of the caller threw, or a fault in this library. */
  XMPP_INTERNAL: 'internal',
} as const;

/** A stable identifier of one failure; see {@link ERROR_CATEGORIES} for the list. */
export type ErrorCode = keyof typeof ERROR_CATEGORIES;

/** What may accompany a {@link TransportError}. */
export interface TransportErrorDetails {
  /** The error that caused this one. */
  readonly cause?: unknown;
  /** TLS AlertDescription (RFC 8446 §6), sent or received. */
  readonly alert?: number;
  /** QUIC error code (RFC 9000 §20), sent or received. Codes above 2^53 are rounded. */
  readonly quicCode?: number;
}

/**
 * Base of every error this library gives. It has a stable {@link code}, a {@link category}, and the standard's own
 * number where there is one. Messages name peer and stage; they never hold stanza text, credentials or keys.
 */
export class TransportError extends Error {
  override readonly name: string = 'TransportError';
  readonly code: ErrorCode;
  readonly category: ErrorCategory;
  /** TLS AlertDescription (RFC 8446 §6), or null where none is involved. */
  readonly alert: number | null;
  /** QUIC error code (RFC 9000 §20), or null where none is involved. */
  readonly quicCode: number | null;

  constructor(code: ErrorCode, message: string, details: TransportErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.category = ERROR_CATEGORIES[code];
    this.alert = details.alert ?? null;
    this.quicCode = details.quicCode ?? null;
  }
}

/** Why a certificate was refused; stable, fit for a log and for a program. */
export type CertificateReason =
  | 'absent'
  | 'encoding'
  | 'expired'
  | 'not-yet-valid'
  | 'unknown-ca'
  | 'bad-signature'
  | 'not-a-ca'
  | 'path-length'
  | 'key-usage'
  | 'name-constraint'
  | 'certificate-policy'
  | 'unknown-critical-extension'
  | 'weak'
  | 'limit'
  | 'revoked'
  | 'revocation-unknown'
  | 'name-mismatch'
  | 'pin'
  | 'refused-by-peer'
  | 'internal';

/** A certificate was refused (RFC 6120 §13.7.2): says whose, for which domain and why. */
export class CertificateError extends TransportError {
  override readonly name = 'CertificateError';
  readonly reason: CertificateReason;
  /** The domain (A-label) the certificate had to prove, or null where none was asked. */
  readonly domain: string | null;

  constructor(reason: CertificateReason, domain: string | null, message: string, details: TransportErrorDetails = {}) {
    super('XMPP_CERTIFICATE_REFUSED', message, details);
    this.reason = reason;
    this.domain = domain;
  }
}

/** Makes a typed error of whatever was thrown, so that nothing untyped crosses the library's border. */
export function toTransportError(thrown: unknown, what: string): TransportError {
  if (thrown instanceof TransportError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new TransportError('XMPP_INTERNAL', `${what}: ${text}`, { cause: thrown });
}
