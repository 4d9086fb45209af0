import type { Observable } from 'rxjs';
import type { CertificateReason, TransportError } from './errors.ts';
import type { StanzaStream } from './stanza-stream.ts';
import type { Cancellable } from './transport.ts';

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

/** What was asked of a certificate: that it proves `domain` in this role (RFC 6120 §13.7). */
export interface IdentityQuestion {
  /** Source domain: `to` for the initiating entity, `from` for the receiving one (RFC 9525 §6.1). */
  readonly domain: string;
  /** What the peer claims to be. */
  readonly purpose: 'c2s-server' | 's2s-server' | 's2s-client';
}

/** The policy's answer about one presented chain and one identity. It fails closed. */
export type PeerVerdict =
  | {
      readonly verified: true;
      readonly domain: string;
      /** The presented identifier that matched, for example `dns:*.example.org` (RFC 9525 §6). */
      readonly matched: string;
      /** When the first certificate of the validated path expires, in milliseconds since the epoch. */
      readonly expiresAtMs: number;
    }
  | {
      readonly verified: false;
      readonly domain: string;
      readonly reason: CertificateReason;
      /** TLS AlertDescription that fits (RFC 8446 §6). */
      readonly alert: number;
      /** One sentence for a log. */
      readonly detail: string;
    };

/**
 * Facts about the security of a connection, the same on all its streams (XEP-0467 §2). What a TLS stack does not
 * tell is null, never guessed. Readable after the end.
 */
export interface ConnectionSecurity {
  readonly tlsVersion: 'TLSv1.2' | 'TLSv1.3' | null;
  /** The cipher suite's IANA name, or null where the stack does not tell. */
  readonly cipher: string | null;
  readonly alpn: string | null;
  /** Server name sent or received, as A-labels. */
  readonly sni: string | null;
  /** What the peer presented, DER, end-entity first; empty when it presented nothing. */
  readonly peerCertificates: readonly Uint8Array[];
  /** The verdict about the domain connected to; null where the peer is a client that need not prove one. */
  readonly verdict: PeerVerdict | null;
  /** Judges the presented chain for another identity; for every s2s stream its own `from` (XEP-0467 §2, RFC 6120 §13.7). */
  verify(question: IdentityQuestion): PeerVerdict;
  /** Channel binding types that {@link channelBinding} can give (RFC 9266, RFC 5929). */
  readonly channelBindings: readonly string[];
  /** The channel binding data, or null where the stack cannot give that type. */
  channelBinding(type: string): Uint8Array | null;
  /** Encrypted ClientHello (RFC 9849). */
  readonly ech: 'accepted' | 'unavailable';
  readonly resumed: boolean;
  /** What happened to 0-RTT data: `none` was sent, or the server took or refused it. */
  readonly earlyData: 'none' | 'accepted' | 'rejected';
  /** Names of options in force that weaken validation; normally empty. */
  readonly dangers: readonly string[];
}

/** One secured association with a peer: a QUIC connection, a TLS connection. */
export interface Connection extends AsyncDisposable {
  /** Unique in this process; found in every log record of the connection. */
  readonly id: string;
  readonly transport: string;
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: ConnectionSecurity;
  /** The current addresses at once, then after every migration; completes at the end. */
  readonly path$: Observable<NetworkPath>;
  /**
   * Streams opened by the peer, each once. What arrives before the first subscription waits for it. Completes on a
   * clean end of the connection, else errors once.
   */
  readonly streams$: Observable<StanzaStream>;
  /**
   * Opens a stanza stream; the caller sends the first header.
   * @throws TransportError `XMPP_LIMIT_EXCEEDED` where the transport has no further stream, `XMPP_INVALID_STATE`
   *   after the end, `XMPP_ABORTED`.
   */
  openStream(options?: Cancellable): Promise<StanzaStream>;
  /** Closes every stream by its closing handshake, then the connection. Idempotent, never rejects. */
  close(): Promise<void>;
  /** Ends at once, with `error` as the reason on this side; nothing further is delivered. Idempotent. */
  abort(error?: TransportError): void;
  /** Settles once, with the first cause; never rejects. */
  readonly closed: Promise<CloseReason>;
}
