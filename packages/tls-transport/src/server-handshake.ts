import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import {
  CertificateError,
  type ConnectionKind,
  normalizeDomain,
  TransportError,
  toTransportError,
} from '@stanzaport/core';
import { ALPN_OF, type Credential, kindOfAlpn, TLS_ALERT } from '@stanzaport/tls-shared';
import { negotiateInClear } from './clear-socket.ts';
import {
  errorOfSocket,
  handshakeTimeout,
  isWithoutCertificate,
  noExtendedMasterSecret,
  noServerName,
  peerReset,
  type Stage,
} from './errors.ts';
import { hasExtendedMasterSecret } from './extended-master-secret.ts';
import { kindOfHeader } from './kind-of-header.ts';
import { pathOf } from './socket-address.ts';
import { ClearReceiver } from './starttls/clear-receiver.ts';
import type { ClearAgreement } from './starttls/clear-step.ts';
import type { SecuredSocket } from './tls-connection.ts';
import type { TlsParts } from './tls-parts.ts';
import { TlsSecurity } from './tls-security.ts';

/** What a handshake tells its listener: one of the two, once. */
export interface ServerHandshakeListener {
  onSecured(handshake: ServerHandshake, secured: SecuredSocket): void;
  onFailed(handshake: ServerHandshake, error: TransportError): void;
}

/** From an accepted TCP connection to a secured one, or to nothing. */
export class ServerHandshake {
  readonly tcp: Socket;
  readonly remoteAddress: string;
  readonly #parts: TlsParts;
  readonly #kinds: readonly ConnectionKind[];
  readonly #listener: ServerHandshakeListener;
  readonly #peer: string;
  readonly #deadline: NodeJS.Timeout;
  #stage: Stage;
  #tls: TLSSocket | null = null;
  #sni: string | null = null;
  #credential: Credential | null = null;
  #over = false;

  constructor(tcp: Socket, parts: TlsParts, kinds: readonly ConnectionKind[], listener: ServerHandshakeListener) {
    this.tcp = tcp;
    this.remoteAddress = tcp.remoteAddress ?? '';
    this.#parts = parts;
    this.#kinds = kinds;
    this.#listener = listener;
    this.#peer = `${this.remoteAddress} port ${tcp.remotePort}`;
    this.#stage = parts.upgrade === 'starttls' ? 'negotiating STARTTLS' : 'shaking hands for TLS';
    this.#deadline = setTimeout(
      () => this.fail(handshakeTimeout(this.#peer, this.#stage)),
      parts.limits.handshakeTimeoutMs,
    );
    tcp.on('error', this.#onError);
    tcp.on('close', this.#onClose);
  }

  start(): void {
    const { upgrade, credentials, limits } = this.#parts;
    if (upgrade === 'direct-tls') {
      this.#secure(null);
      return;
    }
    const serves = (domain: string): boolean => credentials.serves(domain);
    const receiver = new ClearReceiver({ kinds: this.#kinds, serves, limits });
    this.tcp.on('end', this.#onEarlyEnd);
    negotiateInClear(this.tcp, (bytes) => receiver.receive(bytes), {
      onAgreed: (agreed) => this.#guard(() => this.#secure(agreed)),
      // The socket gets until the deadline to say why.
      onRefused: (error) => this.#settle(error),
    });
  }

  /** Gives up, at once. */
  fail(error: TransportError): void {
    clearTimeout(this.#deadline);
    this.tcp.destroy();
    this.#settle(error);
  }

  #secure(agreed: ClearAgreement | null): void {
    this.#stage = 'shaking hands for TLS';
    const { contexts } = this.#parts;
    this.tcp.off('end', this.#onEarlyEnd);
    this.#credential = this.#defaultCredential(agreed);
    const certificate = this.#certificateMode(agreed);
    const tls = new TLSSocket(this.tcp, {
      isServer: true,
      secureContext: contexts.of(this.#credential),
      ALPNProtocols: (agreed === null ? this.#kinds : [agreed.kind]).map((kind) => ALPN_OF[kind]),
      SNICallback: (name, done) => this.#onServerName(name, done),
      requestCert: certificate !== 'none',
      // Not about what the certificate says: without this the stack does not insist on having one.
      rejectUnauthorized: certificate === 'required',
    });
    this.#tls = tls;
    tls.on('error', this.#onError);
    // COMPAT: see TlsByteStream.
    tls.on('_tlsError', this.#onError);
    tls.on('close', this.#onClose);
    // Whoever goes before the end of the handshake makes room at once.
    tls.on('end', this.#onEarlyEnd);
    tls.once('secure', () => this.#guard(() => this.#onSecure(tls, agreed)));
  }

  /** For a client that sends no server name. */
  #defaultCredential(agreed: ClearAgreement | null): Credential | null {
    const domain = agreed === null ? this.#parts.options.defaultDomain : agreed.domain;
    return domain === null ? null : this.#parts.credentials.select(domain);
  }

  /** Where clients and servers share a listener, only ALPN tells who it is, which comes too late to insist. */
  #certificateMode(agreed: ClearAgreement | null): 'required' | 'requested' | 'none' {
    const { s2sClientCertificate, c2sClientCertificate } = this.#parts.options;
    const [kind, ...others] = agreed === null ? this.#kinds : [agreed.kind];
    if (others.length === 0) return kind === 's2s' ? s2sClientCertificate : c2sClientCertificate;
    return s2sClientCertificate === 'none' && c2sClientCertificate === 'none' ? 'none' : 'requested';
  }

  #onServerName(name: string, done: (error: Error | null, context?: SecureContext) => void): void {
    const { credentials, contexts } = this.#parts;
    const credential = credentials.select(name);
    if (credential === null) {
      this.#refuseWithAlert(TLS_ALERT.unrecognized_name, `asked for ${JSON.stringify(name)}, which is not served here`);
      return;
    }
    try {
      const context = contexts.of(credential);
      this.#sni = normalizeDomain(name);
      this.#credential = credential;
      done(null, context);
    } catch (thrown) {
      done(thrown as Error);
    }
  }

  /**
   * Node.js does not let a server choose an alert; but until the ServerHello alerts are not encrypted (RFC 8446 §5.1), so
   * that we can write the record ourselves. The handshake stays where it is.
   */
  #refuseWithAlert(alert: number, why: string): void {
    this.tcp.end(Buffer.from([21, 3, 3, 0, 2, 2, alert]), () => this.tcp.destroy());
    this.#settle(new TransportError('XMPP_TLS_FAILED', `${this.#peer} ${why}`, { alert }));
  }

  #onSecure(tls: TLSSocket, agreed: ClearAgreement | null): void {
    if (this.#over) return;
    if (tls.getProtocol() === 'TLSv1.2' && !hasExtendedMasterSecret(tls)) {
      this.fail(noExtendedMasterSecret(this.#peer));
      return;
    }
    const [only] = this.#kinds.length === 1 ? this.#kinds : [];
    const kind = agreed?.kind ?? kindOfAlpn(tls.alpnProtocol || '') ?? only;
    if (kind !== undefined) {
      this.#accept(tls, kind);
      return;
    }
    this.#stage = 'awaiting the stream header';
    kindOfHeader(tls, this.#kinds, this.#parts.limits, (told) => {
      if (!this.#over) this.#guard(() => this.#accept(tls, told ?? 'c2s'));
    });
  }

  #accept(tls: TLSSocket, kind: ConnectionKind): void {
    const { policy, options } = this.#parts;
    const localCertificates = this.#credential?.chainDer ?? [];
    const question = null;
    const security = new TlsSecurity({ tls, role: 'receiving', sni: this.#sni, policy, question, localCertificates });
    const isAbsent = kind === 's2s' && options.s2sClientCertificate === 'required' && !security.peerCertificates.length;
    if (isAbsent) {
      this.fail(new CertificateError('absent', null, `${this.#peer} presented no certificate`));
      return;
    }
    const path = pathOf(this.tcp);
    if (path === null) {
      this.fail(peerReset(this.#peer, this.#stage));
      return;
    }
    clearTimeout(this.#deadline);
    this.#over = true;
    this.#quit(tls);
    this.#listener.onSecured(this, { kind, tls, tcp: this.tcp, path, security });
  }

  /** A fault of ours, or of the TLS stack, costs this one handshake and not the process. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      this.fail(toTransportError(thrown, 'accept'));
    }
  }

  #settle(error: TransportError): void {
    if (this.#over) return;
    this.#over = true;
    this.#listener.onFailed(this, error);
  }

  /** The connection listens from now on. */
  #quit(tls: TLSSocket): void {
    this.tcp.off('close', this.#onClose);
    tls.off('error', this.#onError);
    tls.off('_tlsError', this.#onError);
    tls.off('close', this.#onClose);
    tls.off('end', this.#onEarlyEnd);
  }

  readonly #onEarlyEnd = (): void => {
    this.fail(peerReset(this.#peer, this.#stage));
  };

  readonly #onError = (error: Error): void => {
    if (this.#over) return;
    const isNameless = this.#sni === null && this.#credential === null && isWithoutCertificate(error);
    this.fail(isNameless ? noServerName(this.#peer) : errorOfSocket(error, this.#peer, this.#stage));
  };

  readonly #onClose = (): void => {
    clearTimeout(this.#deadline);
    this.#tls?.destroy();
    this.#settle(peerReset(this.#peer, this.#stage));
  };
}
