/** XMPP over QUIC (XEP-0467): listen and connect, each bidirectional QUIC stream a stanza stream. */
export type { EndpointCounters } from './endpoint/admission.ts';
export type { ConnectionIdGenerator, ServerIdConnectionIdOptions } from './endpoint/connection-id-generator.ts';
export { createRandomConnectionIds, createServerIdConnectionIds } from './endpoint/connection-id-generator.ts';
export type { HandOverCounters } from './endpoint/hand-over.ts';
export type { PortSharing } from './endpoint/port-sharing.ts';
export { QuicLbConnectionIds, QuicLbDecoder } from './endpoint/quic-lb.ts';
export type { QuicLbConfig, QuicLbParameters, QuicLbServerConfig } from './endpoint/quic-lb-config.ts';
export type { WorkerConnectionIdGenerator } from './endpoint/worker-connection-ids.ts';
export type {
  Engine,
  EngineAccept,
  EngineAddress,
  EngineCloseError,
  EngineConfig,
  EngineConfigOptions,
  EngineConnect,
  EngineConnection,
  EngineCredential,
  EngineFailure,
  EnginePath,
  EnginePathEvent,
  EngineStats,
} from './engine/port.ts';
export { EngineError } from './engine/port.ts';
export { QuicheEngine } from './engine/quiche.ts';
export { quicTransportModule } from './module.ts';
export type { QuicModuleOptions, QuicOptions, WorkerOptions } from './options.ts';
export { DEFAULT_QUIC_OPTIONS } from './options.ts';
export type { QuicListener, QuicListenerCounters } from './quic-listener.ts';
export type { QuicDependencies } from './quic-parts.ts';
export { DEFAULT_QUIC_PORT, QuicTransport } from './quic-transport.ts';
export type { SessionTicketStore } from './session-tickets.ts';
export { MemorySessionTicketStore } from './session-tickets.ts';
export { QUIC_ENGINE, QUIC_STREAM_POOL } from './tokens.ts';
