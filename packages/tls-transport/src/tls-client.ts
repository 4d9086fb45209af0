import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket, type TLSSocketOptions } from 'node:tls';
import {
  CertificateError,
  type Connection,
  type ConnectionKind,
  type IdentityQuestion,
  TransportError,
  toTransportError,
} from '@stanzaport/core';
import { ALPN_OF, type Credential, TLS_ALERT } from '@stanzaport/tls-shared';
import { negotiateInClear } from './clear-socket.ts';
import { errorOfSocket, handshakeTimeout, noExtendedMasterSecret, peerReset, type Stage } from './errors.ts';
import { hasExtendedMasterSecret } from './extended-master-secret.ts';
import { pathOf } from './socket-address.ts';
import { ClearInitiator } from './starttls/clear-initiator.ts';
import { createTlsConnection } from './tls-connection.ts';
import type { TlsParts } from './tls-parts.ts';
import { TlsSecurity } from './tls-security.ts';

/** One attempt to connect: one address, one domain. */
export interface ClientAttempt {
  readonly kind: ConnectionKind;
  /** What the peer has to prove; its domain is also the server name sent. */
  readonly question: IdentityQuestion;
  readonly address: string;
  readonly port: number;
  /** What we present if we are asked; null for nothing. */
  readonly credential: Credential | null;
  /** s2s: who we are; null for a client. */
  readonly localDomain: string | null;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects to one address and secures the connection.
 * @throws TransportError as `Transport.connect` says; nothing is left open then.
 */
export function connectTo(parts: TlsParts, attempt: ClientAttempt): Promise<Connection> {
  return new Promise((resolve, reject) => {
    new ClientHandshake(parts, attempt, resolve, reject).start();
  });
}

/** A client connection before its peer has proved itself. */
class ClientHandshake {
  readonly #parts: TlsParts;
  readonly #attempt: ClientAttempt;
  readonly #resolve: (connection: Connection) => void;
  readonly #reject: (error: TransportError) => void;
  readonly #tcp: Socket;
  readonly #deadline: NodeJS.Timeout;
  #stage: Stage = 'connecting';
  #tls: TLSSocket | null = null;
  #ocspResponse: Uint8Array | null = null;
  #over = false;

  constructor(
    parts: TlsParts,
    attempt: ClientAttempt,
    resolve: (connection: Connection) => void,
    reject: (error: TransportError) => void,
  ) {
    this.#parts = parts;
    this.#attempt = attempt;
    this.#resolve = resolve;
    this.#reject = reject;
    const { address, port, signal } = attempt;
    const { limits, options } = parts;
    this.#tcp = connectTcp({
      host: address,
      port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: options.keepAliveMs > 0,
      keepAliveInitialDelay: options.keepAliveMs,
    });
    this.#deadline = setTimeout(() => this.#fail(handshakeTimeout(this.#peer, this.#stage)), limits.handshakeTimeoutMs);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  start(): void {
    const tcp = this.#tcp;
    tcp.on('error', this.#onError);
    tcp.on('close', this.#onClose);
    tcp.once('connect', () => {
      if (this.#over) return;
      if (this.#parts.upgrade === 'direct-tls') this.#guard(() => this.#secure());
      else this.#negotiate();
    });
    if (this.#attempt.signal?.aborted) this.#onAbort();
  }

  #negotiate(): void {
    this.#stage = 'negotiating STARTTLS';
    const { kind, question, localDomain } = this.#attempt;
    const { domain } = question;
    const initiator = new ClearInitiator({ kind, domain, localDomain, peer: this.#peer, limits: this.#parts.limits });
    this.#tcp.on('end', this.#onEarlyEnd);
    negotiateInClear(this.#tcp, (bytes) => initiator.receive(bytes), {
      onAgreed: () => {
        this.#tcp.off('end', this.#onEarlyEnd);
        this.#guard(() => this.#secure());
      },
      onRefused: (error) => this.#fail(error),
    });
    this.#tcp.write(initiator.start());
  }

  #secure(): void {
    this.#stage = 'shaking hands for TLS';
    const { upgrade, contexts } = this.#parts;
    const { kind, question, credential } = this.#attempt;
    const options: ConnectionOptions & Pick<TLSSocketOptions, 'requestOCSP'> = {
      socket: this.#tcp,
      servername: question.domain,
      secureContext: contexts.of(credential),
      // On the ports of STARTTLS the stream header tells what is spoken; some servers refuse to hear it twice.
      ...(upgrade === 'direct-tls' ? { ALPNProtocols: [ALPN_OF[kind]] } : {}),
      // The policy judges, here and for every transport.
      rejectUnauthorized: false,
      // RFC 6066 §8: who staples a response is asked for it. It comes within the handshake, and the policy judges it too.
      requestOCSP: true,
    };
    const tls = connectTls(options);
    this.#tls = tls;
    tls.on('OCSPResponse', (response: Buffer | null) => {
      this.#ocspResponse = response;
    });
    tls.on('error', this.#onError);
    tls.on('close', this.#onClose);
    tls.on('end', this.#onEarlyEnd);
    tls.once('secureConnect', () => this.#guard(() => this.#onSecure(tls)));
  }

  #onSecure(tls: TLSSocket): void {
    if (this.#over) return;
    const { kind, question, credential } = this.#attempt;
    const { policy } = this.#parts;
    const security = new TlsSecurity({
      tls,
      role: 'initiating',
      sni: question.domain,
      policy,
      question,
      localCertificates: credential?.chainDer ?? [],
      ocspResponse: this.#ocspResponse,
    });
    const refusal = this.#judge(tls, security);
    const path = pathOf(this.#tcp);
    if (refusal !== null || path === null) {
      this.#fail(refusal ?? peerReset(this.#peer, this.#stage));
      return;
    }
    this.#quit();
    tls.off('error', this.#onError);
    tls.off('close', this.#onClose);
    tls.off('end', this.#onEarlyEnd);
    this.#resolve(createTlsConnection(this.#parts, 'initiating', { kind, tls, tcp: this.#tcp, path, security }));
  }

  /** What is against the peer, now that TLS has done its part; null for nothing. */
  #judge(tls: TLSSocket, { alpn, verdict, tlsVersion }: TlsSecurity): TransportError | null {
    const { kind, question } = this.#attempt;
    if (tlsVersion === 'TLSv1.2' && !hasExtendedMasterSecret(tls)) return noExtendedMasterSecret(this.#peer);
    // A server may know nothing of ALPN, but what it selects has to be what was offered (XEP-0368 §3).
    if (alpn !== null && alpn !== ALPN_OF[kind]) {
      const details = { alert: TLS_ALERT.no_application_protocol };
      return new TransportError('XMPP_NO_APPLICATION_PROTOCOL', `${this.#peer} selected '${alpn}'`, details);
    }
    if (verdict?.verified === true) return null;
    const { reason, detail, alert } = verdict ?? NO_VERDICT;
    const message = `the certificate of ${this.#peer} was refused: ${detail}`;
    return new CertificateError(reason, question.domain, message, { alert });
  }

  /** A fault of ours, or of the TLS stack, costs this one attempt and not the process. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      this.#fail(toTransportError(thrown, `connecting to ${this.#peer}`));
    }
  }

  /** Rejects once the socket is closed. */
  #fail(error: TransportError): void {
    if (this.#over) return;
    this.#quit();
    if (this.#tcp.closed) this.#reject(error);
    else this.#tcp.once('close', () => this.#reject(error));
    this.#tcp.destroy();
  }

  #quit(): void {
    this.#over = true;
    clearTimeout(this.#deadline);
    this.#attempt.signal?.removeEventListener('abort', this.#onAbort);
    this.#tcp.off('close', this.#onClose);
  }

  get #peer(): string {
    const { question, address, port } = this.#attempt;
    return `${question.domain} (${address} port ${port})`;
  }

  readonly #onAbort = (): void => {
    this.#fail(new TransportError('XMPP_ABORTED', `connecting to ${this.#peer} was aborted`));
  };

  readonly #onEarlyEnd = (): void => {
    this.#fail(peerReset(this.#peer, this.#stage));
  };

  readonly #onError = (error: Error): void => {
    this.#fail(errorOfSocket(error, this.#peer, this.#stage));
  };

  readonly #onClose = (): void => {
    this.#tls?.destroy();
    this.#fail(peerReset(this.#peer, this.#stage));
  };
}

const NO_VERDICT = {
  reason: 'internal',
  detail: 'there is no verdict',
  alert: TLS_ALERT.certificate_unknown,
} as const;
