/**
 * The transport contract of Stanzaport and what is built on it once for all transports: stanza streams over bytes,
 * XML framing, limits, typed errors, and the hub that gathers the bound transports.
 */
export { endErrorOf, endWithError, stopWriting, whenUnwanted } from './byte-stream.ts';
export type { Cancellable } from './cancellable.ts';
export { unlessAborted } from './cancellable.ts';
export { CertificateExpiry } from './certificate-expiry.ts';
export { childLogger } from './child-logger.ts';
export { connectToHost } from './connect-to-host.ts';
export type { Connection, ConsumeOptions, OpenStreamOptions, StanzaStream, StreamEvent } from './connection.ts';
export { isIpLiteral, normalizeDomain } from './domain.ts';
export type { CertificateReason, ErrorCategory, ErrorCode, TransportErrorDetails } from './errors.ts';
export { CertificateError, ERROR_CATEGORIES, TransportError, toTransportError } from './errors.ts';
export type { CloseReason, ConnectionKind, NetworkPath, Role, SocketAddress } from './facts.ts';
export { handOverOutput } from './gathered-output.ts';
export type { HandlerErrorSink } from './guarded-observable.ts';
export { GuardedObservable } from './guarded-observable.ts';
export { Inbox } from './inbox.ts';
export type { Limits } from './limits.ts';
export { DEFAULT_LIMITS, resolveLimits } from './limits.ts';
export type { LogFunction, Logger } from './logger.ts';
export { silentLogger } from './logger.ts';
export type { MigratableConnection, MigrateOptions } from './migration.ts';
export { isMigratable } from './migration.ts';
export type { CoreOptions } from './module.ts';
export { coreModule } from './module.ts';
export { NO_TLS } from './no-tls.ts';
export type {
  AddressQuestion,
  ConnectionSecurity,
  Delegation,
  DomainQuestion,
  IdentityQuestion,
  PeerVerdict,
} from './security.ts';
export type { SingleStreamConnectionOptions } from './single-stream-connection.ts';
export { SingleStreamConnection } from './single-stream-connection.ts';
export type { SingleStreamListenerOptions } from './single-stream-listener.ts';
export { SingleStreamListener } from './single-stream-listener.ts';
export type { StreamErrorCondition, StreamErrorDetails } from './stream-error.ts';
export { STREAM_ERROR_CONDITIONS, StreamError } from './stream-error.ts';
export { endingFaultyStreams } from './stream-handler-fault.ts';
export type { StreamHeader, StreamHeaderFields } from './stream-header.ts';
export { CONTENT_NAMESPACES, completeHeader, judgeHeader } from './stream-header-rules.ts';
export {
  isFeatures,
  isStanza,
  isStarttls,
  isStreamError,
  parseStreamError,
  STARTTLS_FAILURE,
} from './stream-nonzas.ts';
export type { PooledStreamOptions, StreamPoolOptions } from './stream-pool.ts';
export { StreamPool } from './stream-pool.ts';
export type { Token, TransportRegistration } from './tokens.ts';
export { LIMITS, LOGGER, TRANSPORT } from './tokens.ts';
export type { ConnectTarget, DrainOptions, Listener, ListenOptions, Transport } from './transport.ts';
export { TransportHub } from './transport-hub.ts';
export { checkUrgency, DEFAULT_URGENCY } from './urgency.ts';
export type { XmlReaderLimits, XmlStreamSink } from './xml/reader.ts';
export { XmlStreamReader } from './xml/reader.ts';
export { Stanza } from './xml/stanza.ts';
export { escapeAttribute, escapeText, STREAM_END, writeHeader, writeStreamError } from './xml/writer.ts';
export type { StanzaStreamOptions } from './xml-stream.ts';
export { createStanzaStream } from './xml-stream.ts';
