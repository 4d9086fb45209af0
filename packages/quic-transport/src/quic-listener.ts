import { createHash } from 'node:crypto';
import {
  type Connection,
  type ConnectionKind,
  childLogger,
  type DrainOptions,
  Inbox,
  type Listener,
  type ListenOptions,
  type SocketAddress,
  TransportError,
  toTransportError,
} from '@stanzaport/core';
import { type Credential, kindOfAlpn, ownCertificateProves, selectAlpn, TLS_ALERT } from '@stanzaport/tls-shared';
import type { Observable } from 'rxjs';
import type { EarlyHandshake } from './early-handshake.ts';
import {
  Admission,
  type Applicant,
  type EndpointCounters,
  type Gatekeeper,
  type Refusal,
} from './endpoint/admission.ts';
import { ConnectionDriver } from './endpoint/connection-driver.ts';
import type { ConnectionEnd } from './endpoint/connection-end.ts';
import { ConnectionIds } from './endpoint/connection-ids.ts';
import type { DriverShared, DriverTiming } from './endpoint/driver-owner.ts';
import { Endpoint } from './endpoint/endpoint.ts';
import { HandOver, type HandOverCounters } from './endpoint/hand-over.ts';
import type { HandedDatagram } from './endpoint/hand-over-frames.ts';
import { openAll } from './endpoint/local-addresses.ts';
import { createPathCounters, type PathCounters } from './endpoint/peer-path.ts';
import type { ResetTokenSource, ResetTokens } from './endpoint/tokens.ts';
import type { UdpSocket } from './endpoint/udp-socket.ts';
import { VIRTUAL_PATH } from './endpoint/virtual-path.ts';
import type { EngineConfig } from './engine/port.ts';
import { errorOfEnd, sideOfEnd, TRANSPORT_CODE } from './errors.ts';
import { checkKind } from './options.ts';
import { QuicConnection } from './quic-connection.ts';
import type { QuicParts } from './quic-parts.ts';
import { QuicSecurity } from './quic-security.ts';
import { type HandshakeListener, ServerHandshake } from './server-handshake.ts';

/** Counters of a listener, for monitoring. */
export interface QuicListenerCounters
  extends Readonly<EndpointCounters>,
    Readonly<PathCounters>,
    Readonly<HandOverCounters> {
  /** Datagrams that came, whatever became of them. */
  readonly received: number;
  /** Handshakes that were let in and came to nothing. */
  readonly failedHandshakes: number;
  /** Connections and handshakes ended here because the peer broke the rules of QUIC or TLS. */
  readonly violations: number;
  /** Connections and handshakes ended here because the peer sent too much that carried no XMPP. */
  readonly excessiveLoads: number;
  /** Connections and handshakes that were dropped without a word because the engine failed on them. */
  readonly engineFailures: number;
}

const NOTHING_HANDED: Readonly<HandOverCounters> = { handedOn: 0, handedIn: 0, handOverDrops: 0 };

/** A bound QUIC endpoint in the receiving role. */
export class QuicListener implements Listener, Gatekeeper, HandshakeListener {
  readonly transport = 'quic';
  readonly address: SocketAddress;
  readonly connections$: Observable<Connection>;
  readonly #parts: QuicParts;
  readonly #kinds: readonly ConnectionKind[];
  readonly #endpoint: Endpoint;
  /** Set where other processes serve the same port. */
  readonly #handOver: HandOver | null;
  readonly #pathCounters: PathCounters = createPathCounters();
  /** Ends the checking of credentials that are to come into force. */
  readonly #stopChecking: () => void;
  readonly #ids: ConnectionIds<UdpSocket>;
  readonly #admission: Admission;
  readonly #inbox: Inbox<Connection>;
  readonly #handshakes = new Set<ServerHandshake>();
  readonly #handshakesByQuota = new Map<string, number>();
  readonly #connections = new Set<QuicConnection>();
  readonly #configs = new WeakMap<Credential, Map<ConnectionKind, EngineConfig>>();
  /** SHA-256 of end-entity certificates. */
  readonly #digests = new WeakMap<Credential, string>();
  readonly #driverShared: DriverShared;
  readonly #timing: DriverTiming;
  #failedHandshakes = 0;
  #violations = 0;
  #excessiveLoads = 0;
  #engineFailures = 0;
  #closing: Promise<void> | null = null;

  private constructor(
    parts: QuicParts,
    kinds: readonly ConnectionKind[],
    ids: ConnectionIds<UdpSocket>,
    bound: {
      readonly endpoint: Endpoint;
      readonly handOver: HandOver | null;
      readonly address: SocketAddress;
      readonly resetTokens: ResetTokens;
      readonly stopChecking: () => void;
    },
  ) {
    this.#parts = parts;
    this.#kinds = kinds;
    this.#ids = ids;
    this.#endpoint = bound.endpoint;
    this.#handOver = bound.handOver;
    this.#stopChecking = bound.stopChecking;
    this.address = bound.address;
    const { limits, options, timers, addressTokens, logger } = parts;
    const { idleTimeoutMs, keepAliveMs } = options;
    this.#driverShared = parts.sharedWith(ids, this.#pathCounters);
    this.#timing = { handshakeTimeoutMs: limits.handshakeTimeoutMs, idleTimeoutMs, keepAliveMs };
    this.#admission = new Admission(
      this,
      { ...limits, ...options },
      { ids, timers },
      { address: addressTokens, reset: bound.resetTokens },
    );
    this.#inbox = new Inbox((thrown) =>
      logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of the listener failed'),
    );
    this.connections$ = this.#inbox.observable;
  }

  /** @throws TransportError of category `config`. */
  static async open(parts: QuicParts, { host = '::', port, kinds = ['c2s'] }: ListenOptions): Promise<QuicListener> {
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new TransportError('XMPP_BAD_OPTION', `listen: ${port} is no port`);
    }
    const { worker } = parts;
    if (worker !== null && port === 0) {
      throw new TransportError('XMPP_BAD_OPTION', 'listen: workers share a port, which has to be named');
    }
    if (kinds.length === 0) throw new TransportError('XMPP_BAD_OPTION', 'listen: kinds is empty');
    for (const kind of kinds) checkKind(kind, 'listen');
    if (parts.credentials.domains.length === 0) {
      throw new TransportError('XMPP_BAD_OPTION', 'listen: QUIC needs at least one credential');
    }
    // A credential the engine does not take has to be known before a client asks for it.
    const stopChecking = parts.credentials.checkWith((credential) => {
      for (const kind of kinds) parts.createConfig({ role: 'server', kind, credential });
    });
    // A datagram cannot come before the listener exists: sockets are read on a later turn of the event loop.
    const late: { listener?: QuicListener; resetTokens?: ResetTokens } = {};
    const resetTokens: ResetTokenSource = { of: (id) => (late.resetTokens as ResetTokens).of(id) };
    const ids = new ConnectionIds<UdpSocket>(resetTokens, parts.connectionIds);
    parts.acquire();
    let handOver: HandOver | null = null;
    const createEndpoint = (): Endpoint =>
      new Endpoint(ids, {
        onUnrouted: (datagram, remoteAddress, remotePort, socket) => {
          if (handOver?.take(datagram, remoteAddress, remotePort, socket)) return;
          late.listener?.admission.receive(datagram, remoteAddress, remotePort, socket);
        },
        onSocketError: (error) => parts.logger.debug({ code: error.code }, 'a datagram could not be sent'),
      });
    const giveUp = async (error: unknown): Promise<never> => {
      stopChecking();
      await handOver?.close();
      await parts.release();
      throw error;
    };
    if (worker !== null) {
      handOver = await HandOver.open(worker, { host, port }, (handed) => late.listener?.onHanded(handed)).catch(giveUp);
    }
    const [endpoint, sockets] = await openAll(createEndpoint, host, port, worker?.sharing).catch(giveUp);
    const { address } = sockets[0] as UdpSocket;
    const isWildcard = host === '::' || host === '0.0.0.0';
    const bound: SocketAddress = isWildcard
      ? { family: host === '::' ? 'IPv6' : 'IPv4', address: host, port: address.port }
      : address;
    late.resetTokens = parts.resetTokensOf(isWildcard ? `${bound.port}` : `${bound.address} ${bound.port}`);
    const parties = { endpoint, handOver, address: bound, resetTokens: late.resetTokens, stopChecking };
    late.listener = new QuicListener(parts, [...kinds], ids, parties);
    handOver?.ready();
    return late.listener;
  }

  get counters(): QuicListenerCounters {
    return {
      ...this.#admission.counters,
      ...this.#pathCounters,
      ...(this.#handOver?.counters ?? NOTHING_HANDED),
      received: this.#endpoint.received,
      failedHandshakes: this.#failedHandshakes,
      violations: this.#violations,
      excessiveLoads: this.#excessiveLoads,
      engineFailures: this.#engineFailures,
    };
  }

  /** Connections that are open now. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Connection IDs that lead somewhere; 0 when everything is freed. */
  get routeCount(): number {
    return this.#ids.size;
  }

  /** @internal */
  get admission(): Admission {
    return this.#admission;
  }

  /** Another process has received what is this one's. @internal */
  onHanded(handed: HandedDatagram): void {
    this.#endpoint.onHandedDatagram(handed, (datagram, remoteAddress, remotePort, socket) =>
      this.#admission.receive(datagram, remoteAddress, remotePort, socket),
    );
  }

  pendingHandshakes(quota: string | null): number {
    return quota === null ? this.#handshakes.size : (this.#handshakesByQuota.get(quota) ?? 0);
  }

  admit(applicant: Applicant): Refusal | null {
    const { serverName, alpn } = applicant.hello;
    if (this.#closing !== null) return refusal(TRANSPORT_CODE.connectionRefused, 'shutting down');
    if (this.#connections.size + this.#handshakes.size >= this.#parts.options.maxConnections) {
      return refusal(TRANSPORT_CODE.connectionRefused, 'too many connections');
    }
    if (serverName === null) return alert(TLS_ALERT.missing_extension, 'SNI is required (XEP-0467)');
    const credential = this.#parts.credentials.select(serverName);
    if (credential === null) return alert(TLS_ALERT.unrecognized_name, 'not served here');
    const selected = selectAlpn(alpn, this.#kinds);
    const kind = selected === null ? null : kindOfAlpn(selected);
    if (kind === null)
      return alert(TLS_ALERT.no_application_protocol, 'ALPN has to be xmpp-client or xmpp-server (XEP-0467)');
    this.#startHandshake(applicant, serverName, kind, credential);
    return null;
  }

  onFault(thrown: unknown): void {
    this.#parts.logger.error({ err: toTransportError(thrown, 'accept') }, 'a client could not be let in');
  }

  close(options: DrainOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.drainMs ?? this.#parts.limits.closeTimeoutMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #configOf(credential: Credential, kind: ConnectionKind): EngineConfig {
    const byKind = this.#configs.get(credential) ?? new Map<ConnectionKind, EngineConfig>();
    this.#configs.set(credential, byKind);
    const known = byKind.get(kind);
    if (known !== undefined) return known;
    const config = this.#parts.createConfig({ role: 'server', kind, credential });
    byKind.set(kind, config);
    return config;
  }

  /**
   * What tickets are good for: the same kind, server name and certificate, the same question for the client's, and the same
   * limits, which early data relies on (RFC 9000 §7.4.1).
   */
  #ticketScopeOf(kind: ConnectionKind, serverName: string, credential: Credential): string {
    const { streamWindowBytes, maxC2sStreams, maxS2sStreams, s2sClientCertificate } = this.#parts.options;
    const own = kind === 'c2s' ? `${maxC2sStreams}` : `${maxS2sStreams} ${s2sClientCertificate}`;
    return `${kind} ${serverName} ${this.#digestOf(credential)} ${streamWindowBytes} ${own}`;
  }

  #digestOf(credential: Credential): string {
    const known = this.#digests.get(credential);
    if (known !== undefined) return known;
    const digest = createHash('sha256')
      .update(credential.chainDer[0] as Uint8Array)
      .digest('hex');
    this.#digests.set(credential, digest);
    return digest;
  }

  #startHandshake(applicant: Applicant, serverName: string, kind: ConnectionKind, credential: Credential): void {
    const { hello, socket, remoteAddress, remotePort, source, originalConnectionId, initialConnectionId } = applicant;
    const { engine, ticketKeys } = this.#parts;
    const ticketScope = this.#ticketScopeOf(kind, serverName, credential);
    const engineConnection = engine.accept(this.#configOf(credential, kind), {
      sourceConnectionId: source.id,
      originalDestinationConnectionId: originalConnectionId,
      path: VIRTUAL_PATH,
      resetToken: source.resetToken,
      ticketKeys: ticketKeys.select(ticketScope, hello.ticket, performance.now()),
    });
    const handshake = new ServerHandshake(kind, serverName, remoteAddress, credential.chainDer, this);
    const driver = new ConnectionDriver(
      'server',
      engineConnection,
      { socket, remoteAddress, remotePort },
      // After a Retry the client addresses its packets to the ID that is ours already.
      { source: source.id, initial: originalConnectionId === null ? initialConnectionId : null },
      this.#driverShared,
      this.#timing,
      handshake,
    );
    const { quota } = applicant;
    handshake.driver = driver;
    handshake.quota = quota;
    this.#handshakes.add(handshake);
    this.#handshakesByQuota.set(quota, this.pendingHandshakes(quota) + 1);
    for (const datagram of applicant.datagrams) driver.receive(datagram, remoteAddress, remotePort, socket, null);
  }

  /** The user gets the connection now; for the counts it stays an unfinished handshake. @internal */
  onEarlyData(handshake: ServerHandshake): void {
    const { driver } = handshake;
    const security = this.#securityOf(handshake);
    if (security === null) return;
    const connection = this.#createConnection(handshake, security, {
      complete: () => {
        this.#forget(handshake);
        this.#connections.add(connection);
        security.learn(driver.engine);
        return { accepted: true, paths: null };
      },
      fail: () => {
        if (this.#forget(handshake)) this.#failedHandshakes += 1;
      },
    });
    handshake.connection = connection;
    this.#announce(connection);
  }

  /** @internal */
  onEstablished(handshake: ServerHandshake): void {
    this.#forget(handshake);
    const security = this.#securityOf(handshake);
    if (security === null) return;
    const connection = this.#createConnection(handshake, security, null);
    this.#connections.add(connection);
    this.#announce(connection);
  }

  /** The facts, or null: what was peeked must be what TLS saw, or the certificate was chosen for another name. */
  #securityOf({ driver, kind, serverName, localCertificates }: ServerHandshake): QuicSecurity | null {
    const { engine } = driver;
    const { policy } = this.#parts;
    const facts = { role: 'receiving', sni: serverName, policy, question: null, localCertificates } as const;
    const security = new QuicSecurity(facts);
    security.learn(engine);
    const isAsPeeked = engine.serverName?.toLowerCase() === serverName && kindOfAlpn(security.alpn ?? '') === kind;
    if (isAsPeeked) return security;
    driver.close(false, TRANSPORT_CODE.protocolViolation, 'the ClientHello was not what it seemed');
    return null;
  }

  #createConnection(
    { driver, kind, localCertificates }: ServerHandshake,
    security: QuicSecurity,
    early: EarlyHandshake | null,
  ): QuicConnection {
    const { logger, limits, slab, credentials, options, nextConnectionId } = this.#parts;
    const id = nextConnectionId();
    const { remoteAddress, remotePort } = driver.carrier;
    const connection = new QuicConnection({
      id,
      kind,
      role: 'receiving',
      driver,
      security,
      slab,
      limits,
      logger: childLogger(logger, { connectionId: id, transport: 'quic', remote: `${remoteAddress} ${remotePort}` }),
      streamWindowBytes: this.#parts.options.streamWindowBytes,
      serves: (domain) => credentials.serves(domain),
      ...(options.strictTo ? { covers: coveredBy(localCertificates, kind) } : {}),
      mayOpenStreams: kind === 's2s' && options.reverseStreams,
      early,
    });
    driver.handOver(connection);
    return connection;
  }

  #announce(connection: QuicConnection): void {
    connection.released.then(() => this.#connections.delete(connection));
    this.#inbox.push(connection);
    // Nobody can do anything with one that has ended while it waited.
    connection.closed.then(({ by, error }) => {
      this.#inbox.drop(connection);
      this.#countFault(by, error);
    });
  }

  /** @internal */
  onEnd(handshake: ServerHandshake, end: ConnectionEnd): void {
    if (!this.#forget(handshake)) return;
    this.#failedHandshakes += 1;
    this.#countFault(sideOfEnd(end), errorOfEnd(end, handshake.remoteAddress, false));
    this.#parts.logger.debug({ remote: handshake.remoteAddress, end: end.type }, 'a QUIC handshake failed');
  }

  #countFault(by: 'local' | 'peer', error: TransportError | null): void {
    // What ends while the listener is closing is nobody's fault.
    if (this.#closing !== null || error === null) return;
    if (error.category === 'internal') this.#engineFailures += 1;
    if (by === 'peer') return;
    if (error.category === 'protocol' || error.category === 'tls') this.#violations += 1;
    if (error.category === 'limit') this.#excessiveLoads += 1;
  }

  #forget(handshake: ServerHandshake): boolean {
    if (!this.#handshakes.delete(handshake)) return false;
    const left = this.pendingHandshakes(handshake.quota) - 1;
    if (left > 0) this.#handshakesByQuota.set(handshake.quota, left);
    else this.#handshakesByQuota.delete(handshake.quota);
    return true;
  }

  async #close(drainMs: number): Promise<void> {
    this.#stopChecking();
    this.#handOver?.drain();
    const connections = [...this.#connections];
    const released: Promise<void>[] = [];
    for (const { connection, driver, released: gone } of this.#handshakes) {
      released.push(gone);
      if (connection === null) driver.close(false, TRANSPORT_CODE.connectionRefused, 'shutting down');
      else connections.push(connection);
    }
    if (drainMs > 0) {
      const closings = Promise.all(connections.map((connection) => connection.close()));
      await withinMs(closings, drainMs);
    }
    for (const connection of connections) connection.shutDown();
    await Promise.all([...released, ...connections.map((connection) => connection.released)]);
    this.#admission.close();
    await this.#endpoint.close();
    await this.#handOver?.close();
    this.#inbox.complete();
    await this.#parts.release();
  }
}

/** What `strictTo` asks: whether the certificate presented is good for the `to` of a stream (XEP-0467 §2 (9)). */
function coveredBy(certificates: readonly Uint8Array[], kind: ConnectionKind): (domain: string) => boolean {
  return (domain) =>
    ownCertificateProves(certificates, { domain, purpose: kind === 'c2s' ? 'c2s-server' : 's2s-server' });
}

function refusal(code: number, reason: string): Refusal {
  return { code, reason };
}

function alert(number: number, reason: string): Refusal {
  return { code: TRANSPORT_CODE.cryptoError + number, reason };
}

/** Resolves when `work` does, at the latest after `timeoutMs`. */
function withinMs(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    work.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
