import type { TLSSocket } from 'node:tls';
import type { ConnectionSecurity, IdentityQuestion, PeerVerdict, Role } from '@stanzaport/core';
import { type CertificatePolicy, TLS_EXPORTER_BINDING, tlsServerEndPoint } from '@stanzaport/tls-shared';
import { peerCertificatesOf } from './peer-certificates.ts';

/** What the facts of a connection are taken from, when its handshake is complete. */
export interface TlsSecurityOptions {
  readonly tls: TLSSocket;
  readonly role: Role;
  /** Server name sent or received, as A-labels; null for none. */
  readonly sni: string | null;
  readonly policy: CertificatePolicy;
  /** What the peer has to prove by the handshake alone; null for a client that need not. */
  readonly question: IdentityQuestion | null;
  /** What this side presented, or has for the peer, DER, end-entity first. */
  readonly localCertificates: readonly Uint8Array[];
  /** What a server stapled to its certificate, DER. @defaultValue nothing */
  readonly ocspResponse?: Uint8Array | null;
}

/** The facts of one TLS connection. They are all taken at once, so that they can be read after the end. */
export class TlsSecurity implements ConnectionSecurity {
  readonly tlsVersion: ConnectionSecurity['tlsVersion'];
  readonly cipher: string | null;
  readonly alpn: string | null;
  readonly sni: string | null;
  readonly peerCertificates: readonly Uint8Array[];
  readonly localCertificates: readonly Uint8Array[];
  readonly verdict: PeerVerdict | null;
  readonly channelBindings: readonly string[];
  readonly ech = 'unavailable';
  readonly resumed: boolean;
  /** RFC 9325 §3.10 and POL-05: there is none over TCP. */
  readonly earlyData = 'none';
  readonly dangers: readonly string[];
  /** Told of every verdict about a server, for as long as it matters. */
  onVerdict: ((verdict: PeerVerdict) => void) | null = null;
  readonly #policy: CertificatePolicy;
  readonly #ocspResponse: Uint8Array | null;
  readonly #bindings: ReadonlyMap<string, Uint8Array>;

  constructor({ tls, role, sni, policy, question, localCertificates, ocspResponse = null }: TlsSecurityOptions) {
    const version = tls.getProtocol();
    this.tlsVersion = version === 'TLSv1.3' || version === 'TLSv1.2' ? version : null;
    this.cipher = tls.getCipher().standardName;
    this.alpn = tls.alpnProtocol || null;
    this.sni = sni;
    this.peerCertificates = peerCertificatesOf(tls);
    this.localCertificates = localCertificates;
    this.resumed = tls.isSessionReused();
    this.dangers = policy.dangers;
    this.#policy = policy;
    this.#ocspResponse = ocspResponse;
    this.verdict = question === null ? null : this.verify(question);
    const [serverCertificate] = role === 'initiating' ? this.peerCertificates : localCertificates;
    this.#bindings = bindingsOf(tls, serverCertificate);
    this.channelBindings = Object.freeze([...this.#bindings.keys()]);
  }

  verify(question: IdentityQuestion): PeerVerdict {
    const verdict = this.#policy.verifyPeer(this.peerCertificates, question, { ocspResponse: this.#ocspResponse });
    if (question.purpose !== 'c2s-client') this.onVerdict?.(verdict);
    return verdict;
  }

  channelBinding(type: string): Uint8Array | null {
    return this.#bindings.get(type)?.slice() ?? null;
  }
}

function bindingsOf(tls: TLSSocket, serverCertificate: Uint8Array | undefined): ReadonlyMap<string, Uint8Array> {
  const bindings = new Map<string, Uint8Array>();
  // RFC 9266 §4.2: in TLS 1.2 only with the extended master secret, without which there is no connection.
  const exported = tls.exportKeyingMaterial(TLS_EXPORTER_BINDING.bytes, TLS_EXPORTER_BINDING.label, Buffer.alloc(0));
  bindings.set('tls-exporter', new Uint8Array(exported));
  const endPoint = serverCertificate === undefined ? null : tlsServerEndPoint(serverCertificate);
  if (endPoint !== null) bindings.set('tls-server-end-point', new Uint8Array(endPoint));
  return bindings;
}
