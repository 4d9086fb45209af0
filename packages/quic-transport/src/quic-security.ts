import type { ConnectionSecurity, IdentityQuestion, PeerVerdict } from '@stanzaport/core';
import type { CertificatePolicy } from '@stanzaport/tls-shared';
import type { EngineConnection } from './engine/port.ts';

/**
 * The facts of one QUIC connection, taken once when the handshake is complete. The engine tells neither the cipher suite
 * nor exporter values, and has no ECH; so those are null, none and `unavailable`.
 */
export class QuicSecurity implements ConnectionSecurity {
  /** QUIC has no other (RFC 9001 §4.2). */
  readonly tlsVersion = 'TLSv1.3';
  readonly cipher: null = null;
  readonly alpn: string;
  readonly sni: string | null;
  readonly peerCertificates: readonly Uint8Array[];
  readonly verdict: PeerVerdict | null;
  readonly channelBindings: readonly string[] = [];
  readonly ech = 'unavailable';
  readonly resumed: boolean;
  readonly earlyData = 'none';
  readonly dangers: readonly string[];
  readonly #policy: CertificatePolicy;

  /** @param question what the peer has to prove by the handshake alone; null for a client that need not. */
  constructor(
    engine: EngineConnection,
    sni: string | null,
    policy: CertificatePolicy,
    question: IdentityQuestion | null,
  ) {
    this.#policy = policy;
    this.alpn = engine.alpn;
    this.sni = sni;
    this.peerCertificates = Object.freeze(engine.peerCertificates());
    this.resumed = engine.resumed;
    this.dangers = policy.dangers;
    this.verdict = question === null ? null : this.verify(question);
  }

  verify(question: IdentityQuestion): PeerVerdict {
    return this.#policy.verifyPeer(this.peerCertificates, question);
  }

  channelBinding(): null {
    return null;
  }
}
