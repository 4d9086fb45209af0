import type { CertificateReason } from './errors.ts';

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
  /**
   * What this side has for the peer in this handshake, DER, end-entity first; empty when nothing. A client presents it if
   * the server asks, which a TLS stack may not tell.
   */
  readonly localCertificates: readonly Uint8Array[];
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
  /** Whether an earlier session was resumed (RFC 8446 §2.2); null while that is open. */
  readonly resumed: boolean | null;
  /**
   * What happened to 0-RTT data (RFC 8446 §2.3): `none` was sent, or the server took or refused it. `pending` is the
   * initiating entity's before it knows; everything else about the peer is then unknown too, see
   * {@link Connection.handshakeCompleted}.
   */
  readonly earlyData: 'none' | 'pending' | 'accepted' | 'rejected';
  /** Names of options in force that weaken validation; normally empty. */
  readonly dangers: readonly string[];
}
