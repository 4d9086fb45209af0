import type { TransportError } from './errors.ts';

/** c2s is ALPN `xmpp-client` and namespace `jabber:client`, s2s `xmpp-server` and `jabber:server`. */
export type ConnectionKind = 'c2s' | 's2s';

/** RFC 6120 §1.4: the initiating entity opens, the receiving entity takes. */
export type Role = 'initiating' | 'receiving';

/** An IP address and port. */
export interface SocketAddress {
  readonly family: 'IPv4' | 'IPv6';
  readonly address: string;
  readonly port: number;
}

/** The addresses a connection uses now (RFC 9000 §9). */
export interface NetworkPath {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/** How something ended. Clean means: closing tags exchanged, bytes ended in order, no error. */
export type CloseReason =
  | { readonly clean: true; readonly by: 'local' | 'peer'; readonly error: null }
  | { readonly clean: false; readonly by: 'local' | 'peer'; readonly error: TransportError };
