import type { CertificateReason } from './errors.ts';

/**
 * One thing that a source domain has said about who stands for it, fetched from the domain itself over validated HTTPS
 * (XEP-0487 §2.2, RFC 7711): whoever gives it answers for that. It holds for the link it was learned with and for one
 * kind, c2s or s2s; nothing is pooled. What cannot be read, or is out of date, counts for nothing.
 */
export type Delegation = {
  /** Until when the document that said so may be used, in milliseconds since the epoch. */
  readonly validUntilMs: number;
} & (
  | {
      /** A certificate of this other domain, on a validated path, is good for the source domain too (`sni` of a link). */
      readonly form: 'name';
      /** Unicode or A-labels. */
      readonly name: string;
    }
  | {
      /** `public-key-pins-sha-256`: this key is good without path and name (RFC 7469 §2.4). */
      readonly form: 'public-key-pin';
      /** Base64 of the SHA-256 of the whole SubjectPublicKeyInfo, DER. */
      readonly sha256: string;
    }
  | {
      /** POSH: this end-entity certificate is good without path and name (RFC 7711). */
      readonly form: 'fingerprint';
      readonly hash: 'sha-256' | 'sha-512';
      /** Base64 of the digest of the whole certificate, DER. */
      readonly digest: string;
    }
);

/** What was asked of the certificate of a server: that it proves `domain` in this role (RFC 6120 §13.7). */
export interface DomainQuestion {
  /** Source domain: `to` for the initiating entity, `from` for the receiving one (RFC 9525 §6.1). */
  readonly domain: string;
  /** What the peer claims to be. */
  readonly purpose: 'c2s-server' | 's2s-server' | 's2s-client';
  /** What the domain itself said of the link in use. @defaultValue nothing */
  readonly delegations?: readonly Delegation[];
}

/** What was asked of the certificate of a client: that it proves an address (RFC 6120 §13.7.1.3, XEP-0178 §2). */
export interface AddressQuestion {
  /** The domain of ours that the client has an account at. */
  readonly domain: string;
  readonly purpose: 'c2s-client';
  /**
   * `localpart@domain`, or with a resource. Null asks only whether the certificate is one that clients are trusted
   * with; whose it is, is then for the application to say (XEP-0178 §2).
   */
  readonly jid: string | null;
}

/** What was asked of a certificate. */
export type IdentityQuestion = DomainQuestion | AddressQuestion;

/** The policy's answer about one presented chain and one identity. It fails closed. */
export type PeerVerdict =
  | {
      readonly verified: true;
      readonly domain: string;
      /**
       * The presented identifier that matched, such as `dns:*.example.org` (RFC 9525 §6) or `xmpp:juliet@example.org`, with
       * `delegated:` before it where it is that of a delegated name; `fingerprint:sha-256` or `pin:sha-256` where that was
       * enough; `path` where no identity was asked for.
       */
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
