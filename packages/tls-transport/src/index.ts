/** XMPP over TLS on TCP: Direct TLS (XEP-0368), and STARTTLS (RFC 6120 §5) that nobody above can tell from it. */
export { directTlsModule, startTlsModule } from './module.ts';
export type { TlsTransportModuleOptions, TlsTransportOptions } from './options.ts';
export { DEFAULT_TLS_TRANSPORT_OPTIONS } from './options.ts';
export type { TlsListenerCounters } from './tls-acceptor.ts';
export type { TlsListener } from './tls-listener.ts';
export type { TlsDependencies, Upgrade } from './tls-parts.ts';
export { DEFAULT_TLS_PORTS, DirectTlsTransport, StartTlsTransport } from './tls-transport.ts';
