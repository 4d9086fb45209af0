import { isIP } from 'node:net';
import {
  CertificateError,
  type ConnectionKind,
  type IdentityQuestion,
  type PeerVerdict,
  TransportError,
} from '@stanzaport/core';
import { ALPN_OF, TLS_ALERT } from '@stanzaport/tls-shared';
import { ConnectionDriver, type ConnectionEnd, type DriverOwner, VIRTUAL_PATH } from './endpoint/connection-driver.ts';
import { ConnectionIds } from './endpoint/connection-ids.ts';
import { Endpoint } from './endpoint/endpoint.ts';
import type { UdpSocket } from './endpoint/udp-socket.ts';
import type { EngineConfig } from './engine/port.ts';
import { errorOfEnd, TRANSPORT_CODE } from './errors.ts';
import { QuicConnection } from './quic-connection.ts';
import type { QuicParts } from './quic-parts.ts';
import { QuicSecurity } from './quic-security.ts';

/** One attempt to connect: one address, one domain. */
export interface ClientAttempt {
  readonly kind: ConnectionKind;
  /** A-labels. */
  readonly domain: string;
  readonly address: string;
  readonly port: number;
  readonly config: EngineConfig;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects to one address and secures the connection, on a UDP socket of its own.
 * @throws TransportError as `Transport.connect` says; nothing is left open then.
 */
export async function connectTo(parts: QuicParts, attempt: ClientAttempt): Promise<QuicConnection> {
  const ids = new ConnectionIds<UdpSocket>(parts.resetTokens);
  parts.acquire();
  const late: { handshake?: ClientHandshake } = {};
  const endpoint = new Endpoint(ids, {
    // Everything on this socket is for the one connection; a stateless reset has no ID that is known.
    onUnrouted: (datagram) => late.handshake?.driver.receive(datagram),
    onSocketError: (error) => {
      parts.logger.debug({ code: error.code }, 'a datagram could not be sent');
      if (error.code === 'ECONNREFUSED') late.handshake?.driver.onPortUnreachable();
    },
  });
  const release = async (): Promise<void> => {
    await endpoint.close();
    await parts.release();
  };
  try {
    const { address, port } = attempt;
    const host = isIP(address) === 6 ? '::' : '0.0.0.0';
    const socket = await endpoint.open({ host, port: 0, connectTo: { address, port } });
    if (attempt.signal?.aborted) throw aborted(attempt);
    const handshake = new ClientHandshake(parts, attempt, ids, socket, release);
    late.handshake = handshake;
    return await handshake.done;
  } catch (error) {
    if (late.handshake === undefined) await release();
    throw error;
  }
}

/** A client connection before its peer has proved itself. */
class ClientHandshake implements DriverOwner {
  readonly driver: ConnectionDriver;
  readonly done: Promise<QuicConnection>;
  readonly #parts: QuicParts;
  readonly #attempt: ClientAttempt;
  readonly #releaseSocket: () => Promise<void>;
  #resolve: (connection: QuicConnection) => void = () => undefined;
  #reject: (error: TransportError) => void = () => undefined;
  /** Why the handshake is being given up. */
  #error: TransportError | null = null;

  constructor(
    parts: QuicParts,
    attempt: ClientAttempt,
    ids: ConnectionIds<UdpSocket>,
    socket: UdpSocket,
    releaseSocket: () => Promise<void>,
  ) {
    this.#parts = parts;
    this.#attempt = attempt;
    this.#releaseSocket = releaseSocket;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const source = ids.create();
    const engineConnection = parts.engine.connect(attempt.config, {
      serverName: attempt.domain,
      sourceConnectionId: source.id,
      path: VIRTUAL_PATH,
    });
    this.driver = new ConnectionDriver(
      'client',
      engineConnection,
      { socket, remoteAddress: attempt.address, remotePort: attempt.port },
      { source: source.id, initial: null },
      parts.sharedWith(ids),
      { ...parts.options, handshakeTimeoutMs: parts.limits.handshakeTimeoutMs },
      this,
    );
    attempt.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  onEstablished(): void {
    const { kind, domain } = this.#attempt;
    const { engine } = this.driver;
    if (engine.alpn !== ALPN_OF[kind]) {
      const message = `${this.#peer} did not select ${ALPN_OF[kind]}`;
      this.#giveUp(TLS_ALERT.no_application_protocol, (details) => {
        return new TransportError('XMPP_NO_APPLICATION_PROTOCOL', message, details);
      });
      return;
    }
    const question: IdentityQuestion = { domain, purpose: kind === 'c2s' ? 'c2s-server' : 's2s-server' };
    const security = new QuicSecurity(engine, domain, this.#parts.policy, question);
    const { verdict } = security;
    if (verdict?.verified !== true) {
      this.#refuseCertificate(verdict);
      return;
    }
    this.#attempt.signal?.removeEventListener('abort', this.#onAbort);
    this.#resolve(this.#createConnection(security));
  }

  readonly unreadBytes = 0;

  onInput(): void {
    // Nothing is read before the peer has proved itself.
  }

  onOutput(): void {
    // Nothing is written either.
  }

  onEnd(end: ConnectionEnd): void {
    this.#attempt.signal?.removeEventListener('abort', this.#onAbort);
    this.#error ??=
      errorOfEnd(end, this.#peer, true) ??
      new TransportError('XMPP_PEER_RESET', `${this.#peer} closed the connection during the handshake`);
  }

  onReleased(): void {
    this.#releaseSocket().then(() => {
      this.#reject(this.#error ?? new TransportError('XMPP_ABORTED', 'the handshake was given up'));
    });
  }

  readonly #onAbort = (): void => {
    this.#error ??= aborted(this.#attempt);
    this.driver.close(false, TRANSPORT_CODE.noError, '');
  };

  get #peer(): string {
    return peerOf(this.#attempt);
  }

  #refuseCertificate(verdict: PeerVerdict | null): void {
    const { domain } = this.#attempt;
    const reason = verdict?.verified === false ? verdict.reason : 'internal';
    const detail = verdict?.verified === false ? verdict.detail : 'there is no verdict';
    this.#giveUp(verdict?.verified === false ? verdict.alert : TLS_ALERT.certificate_unknown, (details) => {
      return new CertificateError(reason, domain, `the certificate of ${this.#peer} was refused: ${detail}`, details);
    });
  }

  #giveUp(
    alert: number,
    createError: (details: { readonly alert: number; readonly quicCode: number }) => TransportError,
  ): void {
    const quicCode = TRANSPORT_CODE.cryptoError + alert;
    this.#error ??= createError({ alert, quicCode });
    this.driver.close(false, quicCode, '');
  }

  #createConnection(security: QuicSecurity): QuicConnection {
    const { kind, address, port } = this.#attempt;
    const { nextConnectionId, slab, limits, logger } = this.#parts;
    const id = nextConnectionId();
    const connection = new QuicConnection({
      id,
      kind,
      role: 'initiating',
      driver: this.driver,
      security,
      slab,
      limits,
      logger: logger.child({ connectionId: id, transport: 'quic', remote: `${address} ${port}` }),
      streamWindowBytes: this.#parts.options.streamWindowBytes,
      serves: (domain) => this.#parts.credentials.serves(domain),
      mayOpenStreams: true,
      onReleased: this.#releaseSocket,
    });
    this.driver.handOver(connection);
    return connection;
  }
}

function peerOf({ domain, address, port }: ClientAttempt): string {
  return `${domain} (${address} port ${port})`;
}

/** The signal of an attempt has said that nobody waits for it any more. */
function aborted(attempt: ClientAttempt): TransportError {
  return new TransportError('XMPP_ABORTED', `connecting to ${peerOf(attempt)} was aborted`);
}
