import type { ConnectionSecurity, IdentityQuestion, PeerVerdict, Role } from '@stanzaport/core';
import { type CertificatePolicy, tlsServerEndPoint } from '@stanzaport/tls-shared';
import type { EngineConnection } from './engine/port.ts';

/** RFC 5929 §4. */
const END_POINT = 'tls-server-end-point';
const END_POINT_ONLY: readonly string[] = Object.freeze([END_POINT]);
const NO_BINDINGS: readonly string[] = Object.freeze([]);

/** What is known of a connection before its handshake, and how its peer is to be judged. */
export interface QuicSecurityOptions {
  readonly role: Role;
  /** Server name sent or received. */
  readonly sni: string | null;
  readonly policy: CertificatePolicy;
  /** What the peer has to prove by the handshake alone; null for a client that need not. */
  readonly question: IdentityQuestion | null;
  /** What this side has for the peer, DER, end-entity first. */
  readonly localCertificates: readonly Uint8Array[];
}

/**
 * The facts of one QUIC connection. They are taken when the handshake is complete; until then, on a connection with early
 * data, they say that they are not known. The engine tells neither the cipher suite nor exporter values, and has no ECH: so
 * those are null, not among the channel bindings, and `unavailable`.
 */
export class QuicSecurity implements ConnectionSecurity {
  /** QUIC has no other (RFC 9001 §4.2). */
  readonly tlsVersion = 'TLSv1.3';
  readonly cipher: null = null;
  readonly sni: string | null;
  readonly localCertificates: readonly Uint8Array[];
  readonly ech = 'unavailable';
  readonly dangers: readonly string[];
  // Written by learn() only; plain fields, so that the facts can be copied and logged as a whole.
  alpn: string | null = null;
  channelBindings: readonly string[] = NO_BINDINGS;
  peerCertificates: readonly Uint8Array[] = Object.freeze([]);
  verdict: PeerVerdict | null = null;
  resumed: boolean | null = null;
  earlyData: ConnectionSecurity['earlyData'] = 'pending';
  /** Told of every verdict about a server, for as long as it matters. */
  onVerdict: ((verdict: PeerVerdict) => void) | null = null;
  readonly #role: Role;
  readonly #policy: CertificatePolicy;
  readonly #question: IdentityQuestion | null;
  #endPoint: Uint8Array | null = null;

  constructor({ role, sni, policy, question, localCertificates }: QuicSecurityOptions) {
    this.#role = role;
    this.sni = sni;
    this.localCertificates = localCertificates;
    this.dangers = policy.dangers;
    this.#policy = policy;
    this.#question = question;
  }

  /** Takes the facts: when the handshake is complete, and in the receiving role also when early data has been accepted. */
  learn(engine: EngineConnection): void {
    const { earlyData } = engine;
    this.alpn = engine.alpn;
    this.peerCertificates = Object.freeze(engine.peerCertificates());
    this.resumed = engine.resumed;
    this.earlyData = earlyData === 'offered' ? 'pending' : earlyData;
    const [certificate] = this.#role === 'initiating' ? this.peerCertificates : this.localCertificates;
    this.#endPoint = certificate === undefined ? null : endPointOf(certificate);
    this.channelBindings = this.#endPoint === null ? NO_BINDINGS : END_POINT_ONLY;
    this.verdict = this.#question === null ? null : this.verify(this.#question);
  }

  verify(question: IdentityQuestion): PeerVerdict {
    const verdict = this.#policy.verifyPeer(this.peerCertificates, question);
    if (question.purpose !== 'c2s-client') this.onVerdict?.(verdict);
    return verdict;
  }

  channelBinding(type: string): Uint8Array | null {
    return type === END_POINT && this.#endPoint !== null ? new Uint8Array(this.#endPoint) : null;
  }
}

/** A server presents the same certificate to thousands. */
const endPoints = new WeakMap<Uint8Array, { readonly value: Uint8Array | null }>();

function endPointOf(certificate: Uint8Array): Uint8Array | null {
  const known = endPoints.get(certificate) ?? { value: tlsServerEndPoint(certificate) };
  endPoints.set(certificate, known);
  return known.value;
}
