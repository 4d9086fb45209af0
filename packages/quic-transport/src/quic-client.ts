import { isIP } from 'node:net';
import {
  CertificateError,
  type ConnectionKind,
  childLogger,
  type IdentityQuestion,
  type Logger,
  TransportError,
} from '@stanzaport/core';
import { ALPN_OF, TLS_ALERT } from '@stanzaport/tls-shared';
import type { EarlyHandshake } from './early-handshake.ts';
import { ConnectionDriver } from './endpoint/connection-driver.ts';
import type { ConnectionEnd } from './endpoint/connection-end.ts';
import { ConnectionIds } from './endpoint/connection-ids.ts';
import type { DriverOwner } from './endpoint/driver-owner.ts';
import { Endpoint } from './endpoint/endpoint.ts';
import { createPathCounters } from './endpoint/peer-path.ts';
import type { UdpSocket } from './endpoint/udp-socket.ts';
import { VIRTUAL_PATH } from './endpoint/virtual-path.ts';
import type { EngineConfig } from './engine/port.ts';
import { errorOfEnd, TRANSPORT_CODE } from './errors.ts';
import { PathManager } from './path-manager.ts';
import { QuicConnection } from './quic-connection.ts';
import type { QuicParts } from './quic-parts.ts';
import { QuicSecurity } from './quic-security.ts';

/** One attempt to connect: one address, one domain. */
export interface ClientAttempt {
  readonly kind: ConnectionKind;
  /** What the peer has to prove; its domain is also the server name sent. */
  readonly question: IdentityQuestion;
  readonly address: string;
  readonly port: number;
  readonly config: EngineConfig;
  /** Our own chain in that configuration, DER, end-entity first; empty for none. */
  readonly localCertificates: readonly Uint8Array[];
  /** What to resume by, if anything. */
  readonly session: Uint8Array | null;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects to one address and secures the connection, on a UDP socket of its own.
 * @throws TransportError as `Transport.connect` says; nothing is left open then.
 */
export async function connectTo(parts: QuicParts, attempt: ClientAttempt): Promise<QuicConnection> {
  const ids = new ConnectionIds<UdpSocket>(parts.clientResetTokens);
  parts.acquire();
  const late: { handshake?: ClientHandshake } = {};
  const endpoint = new Endpoint(ids, {
    // Everything on this socket is for the one connection; a stateless reset has no ID that is known.
    onUnrouted: (...received) => late.handshake?.driver.receive(...received, null),
    onSocketError: (error, socket) => {
      late.handshake?.paths?.onSocketError(error, socket);
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
    const handshake = new ClientHandshake(parts, attempt, ids, endpoint, socket, release);
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
  /** From the end of the handshake on: before it no connection migrates (RFC 9000 §9). */
  paths: PathManager | null = null;
  readonly done: Promise<QuicConnection>;
  readonly #security: QuicSecurity;
  readonly #id: string;
  readonly #logger: Logger;
  readonly #parts: QuicParts;
  readonly #attempt: ClientAttempt;
  readonly #endpoint: Endpoint;
  readonly #releaseSocket: () => Promise<void>;
  #resolve: (connection: QuicConnection) => void = () => undefined;
  #reject: (error: TransportError) => void = () => undefined;
  /** Why the handshake is being given up. */
  #error: TransportError | null = null;

  constructor(
    parts: QuicParts,
    attempt: ClientAttempt,
    ids: ConnectionIds<UdpSocket>,
    endpoint: Endpoint,
    socket: UdpSocket,
    releaseSocket: () => Promise<void>,
  ) {
    this.#id = parts.nextConnectionId();
    const remote = `${attempt.address} ${attempt.port}`;
    this.#logger = childLogger(parts.logger, { connectionId: this.#id, transport: 'quic', remote });
    this.#parts = parts;
    this.#attempt = attempt;
    this.#endpoint = endpoint;
    this.#releaseSocket = releaseSocket;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { question, localCertificates, session } = attempt;
    const { policy } = parts;
    this.#security = new QuicSecurity({
      role: 'initiating',
      sni: question.domain,
      policy,
      question,
      localCertificates,
    });
    const source = ids.create();
    const engineConnection = parts.engine.connect(attempt.config, {
      serverName: question.domain,
      sourceConnectionId: source.id,
      path: VIRTUAL_PATH,
      session,
    });
    this.driver = new ConnectionDriver(
      'client',
      engineConnection,
      { socket, remoteAddress: attempt.address, remotePort: attempt.port },
      { source: source.id, initial: null },
      parts.sharedWith(ids, createPathCounters()),
      { ...parts.options, handshakeTimeoutMs: parts.limits.handshakeTimeoutMs },
      this,
    );
    if (engineConnection.earlyData === 'offered') this.#resolve(this.#createConnection(this.#earlyHandshake()));
    else attempt.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  onEarlyData(): void {
    // A server's.
  }

  onEstablished(): void {
    // Called off a moment ago, and closing.
    if (this.#error !== null) return;
    const refusal = this.#judge();
    if (refusal === null) {
      this.#attempt.signal?.removeEventListener('abort', this.#onAbort);
      this.paths = this.#createPaths();
      this.#resolve(this.#createConnection(null));
      return;
    }
    this.#error ??= refusal.error;
    this.driver.close(false, refusal.quicCode, '');
  }

  readonly unreadBytes = 0;

  onPathChanged(): void {
    // Nobody has been told the path yet.
  }

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

  /** What is against the peer, now that TLS has done its part; null for nothing. */
  #judge(): Refused | null {
    const { kind, question } = this.#attempt;
    const { engine } = this.driver;
    if (engine.alpn !== ALPN_OF[kind]) {
      const details = detailsOf(TLS_ALERT.no_application_protocol);
      const message = `${this.#peer} did not select ${ALPN_OF[kind]}`;
      return { error: new TransportError('XMPP_NO_APPLICATION_PROTOCOL', message, details), ...details };
    }
    this.#security.learn(engine);
    const { verdict } = this.#security;
    if (verdict?.verified === true) return null;
    const { reason, detail, alert } = verdict ?? NO_VERDICT;
    const details = detailsOf(alert);
    const message = `the certificate of ${this.#peer} was refused: ${detail}`;
    return { error: new CertificateError(reason, question.domain, message, details), ...details };
  }

  /** For a connection that the user has before the peer has proved itself. */
  #earlyHandshake(): EarlyHandshake {
    return {
      complete: () => {
        const refusal = this.#judge();
        if (refusal !== null) return { accepted: false, ...refusal };
        this.paths = this.#createPaths();
        return { accepted: true, paths: this.paths };
      },
      fail: () => undefined,
    };
  }

  #createPaths(): PathManager {
    const { address, port } = this.#attempt;
    return new PathManager({
      driver: this.driver,
      endpoint: this.#endpoint,
      address,
      port,
      logger: this.#logger,
      networkWatch: this.#parts.options.migration === 'automatic' ? this.#parts.networkWatch : null,
    });
  }

  #createConnection(early: EarlyHandshake | null): QuicConnection {
    const { kind, question, localCertificates } = this.#attempt;
    const { slab, limits } = this.#parts;
    const security = this.#security;
    const connection = new QuicConnection({
      id: this.#id,
      kind,
      role: 'initiating',
      driver: this.driver,
      security,
      slab,
      limits,
      logger: this.#logger,
      paths: this.paths,
      early,
      onSession: (session) => void this.#parts.sessions.keep({ question, localCertificates }, session, security),
      streamWindowBytes: this.#parts.options.streamWindowBytes,
      serves: (domain) => this.#parts.credentials.serves(domain),
      mayOpenStreams: true,
      onReleased: this.#releaseSocket,
    });
    this.driver.handOver(connection);
    return connection;
  }
}

/** Why a peer is refused, and how it is told. */
interface Refused {
  readonly error: TransportError;
  readonly quicCode: number;
}

const NO_VERDICT = {
  reason: 'internal',
  detail: 'there is no verdict',
  alert: TLS_ALERT.certificate_unknown,
} as const;

function detailsOf(alert: number): { readonly alert: number; readonly quicCode: number } {
  return { alert, quicCode: TRANSPORT_CODE.cryptoError + alert };
}

function peerOf({ question, address, port }: ClientAttempt): string {
  return `${question.domain} (${address} port ${port})`;
}

/** The signal of an attempt has said that nobody waits for it any more. */
function aborted(attempt: ClientAttempt): TransportError {
  return new TransportError('XMPP_ABORTED', `connecting to ${peerOf(attempt)} was aborted`);
}
