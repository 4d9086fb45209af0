import {
  type Connection,
  type ConnectionKind,
  type DrainOptions,
  Inbox,
  type Listener,
  type ListenOptions,
  type SocketAddress,
  TransportError,
  toTransportError,
} from '@stanzaport/core';
import { type Credential, kindOfAlpn, selectAlpn, TLS_ALERT } from '@stanzaport/tls-shared';
import type { Observable } from 'rxjs';
import {
  Admission,
  type Applicant,
  type EndpointCounters,
  type Gatekeeper,
  type Refusal,
} from './endpoint/admission.ts';
import { ConnectionDriver, type ConnectionEnd, type DriverOwner, VIRTUAL_PATH } from './endpoint/connection-driver.ts';
import { ConnectionIds } from './endpoint/connection-ids.ts';
import { Endpoint } from './endpoint/endpoint.ts';
import { openAll } from './endpoint/local-addresses.ts';
import type { UdpSocket } from './endpoint/udp-socket.ts';
import type { EngineConfig } from './engine/port.ts';
import { TRANSPORT_CODE } from './errors.ts';
import { checkKind } from './options.ts';
import { QuicConnection } from './quic-connection.ts';
import type { QuicParts } from './quic-parts.ts';
import { QuicSecurity } from './quic-security.ts';

/** Counters of a listener, for monitoring. */
export interface QuicListenerCounters extends Readonly<EndpointCounters> {
  /** Datagrams that came, whatever became of them. */
  readonly received: number;
  /** Handshakes that were let in and came to nothing. */
  readonly failedHandshakes: number;
}

/** A bound QUIC endpoint in the receiving role. */
export class QuicListener implements Listener, Gatekeeper {
  readonly transport = 'quic';
  readonly address: SocketAddress;
  readonly connections$: Observable<Connection>;
  readonly #parts: QuicParts;
  readonly #kinds: readonly ConnectionKind[];
  readonly #endpoint: Endpoint;
  readonly #ids: ConnectionIds<UdpSocket>;
  readonly #admission: Admission;
  readonly #inbox: Inbox<Connection>;
  readonly #handshakes = new Set<ServerHandshake>();
  readonly #handshakesByAddress = new Map<string, number>();
  readonly #connections = new Set<QuicConnection>();
  readonly #configs = new WeakMap<Credential, Map<ConnectionKind, EngineConfig>>();
  #failedHandshakes = 0;
  #closing: Promise<void> | null = null;

  private constructor(
    parts: QuicParts,
    kinds: readonly ConnectionKind[],
    ids: ConnectionIds<UdpSocket>,
    bound: { readonly endpoint: Endpoint; readonly address: SocketAddress },
  ) {
    this.#parts = parts;
    this.#kinds = kinds;
    this.#ids = ids;
    this.#endpoint = bound.endpoint;
    this.address = bound.address;
    const { limits, options, timers, resetTokens, addressTokens, logger } = parts;
    this.#admission = new Admission(
      this,
      { ...limits, ...options },
      { ids, timers },
      { address: addressTokens, reset: resetTokens },
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
    if (kinds.length === 0) throw new TransportError('XMPP_BAD_OPTION', 'listen: kinds is empty');
    for (const kind of kinds) checkKind(kind, 'listen');
    if (parts.credentials.domains.length === 0) {
      throw new TransportError('XMPP_BAD_OPTION', 'listen: QUIC needs at least one credential');
    }
    QuicListener.#checkCredentials(parts, kinds);
    const ids = new ConnectionIds<UdpSocket>(parts.resetTokens);
    parts.acquire();
    // A datagram cannot come before the listener exists: sockets are read on a later turn of the event loop.
    const late: { listener?: QuicListener } = {};
    const createEndpoint = (): Endpoint =>
      new Endpoint(ids, {
        onUnrouted: (datagram, remoteAddress, remotePort, socket) =>
          late.listener?.admission.receive(datagram, remoteAddress, remotePort, socket),
        onSocketError: (error) => parts.logger.debug({ code: error.code }, 'a datagram could not be sent'),
      });
    const [endpoint, sockets] = await openAll(createEndpoint, host, port).catch(async (error) => {
      await parts.release();
      throw error;
    });
    const { address } = sockets[0] as UdpSocket;
    const isWildcard = host === '::' || host === '0.0.0.0';
    const bound: SocketAddress = isWildcard
      ? { family: host === '::' ? 'IPv6' : 'IPv4', address: host, port: address.port }
      : address;
    late.listener = new QuicListener(parts, [...kinds], ids, { endpoint, address: bound });
    return late.listener;
  }

  /** A credential the engine does not take has to be known before a client asks for it. */
  static #checkCredentials(parts: QuicParts, kinds: readonly ConnectionKind[]): void {
    for (const domain of parts.credentials.domains) {
      const credential = parts.credentials.select(domain.replace('*', 'any'));
      for (const kind of kinds) parts.createConfig({ role: 'server', kind, credential });
    }
  }

  get counters(): QuicListenerCounters {
    return {
      ...this.#admission.counters,
      received: this.#endpoint.received,
      failedHandshakes: this.#failedHandshakes,
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

  pendingHandshakes(remoteAddress: string | null): number {
    return remoteAddress === null ? this.#handshakes.size : (this.#handshakesByAddress.get(remoteAddress) ?? 0);
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
    this.#startHandshake(applicant, serverName, kind, this.#configOf(credential, kind));
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

  #startHandshake(applicant: Applicant, serverName: string, kind: ConnectionKind, config: EngineConfig): void {
    const { socket, remoteAddress, remotePort, source, originalConnectionId, initialConnectionId } = applicant;
    const { engine, limits, options } = this.#parts;
    const engineConnection = engine.accept(config, {
      sourceConnectionId: source.id,
      originalDestinationConnectionId: originalConnectionId,
      path: VIRTUAL_PATH,
      resetToken: source.resetToken,
    });
    const handshake = new ServerHandshake(kind, serverName, remoteAddress, {
      onEstablished: (done) => this.#onEstablished(done),
      onEnd: (done, end) => this.#onHandshakeEnded(done, end),
    });
    const driver = new ConnectionDriver(
      'server',
      engineConnection,
      { socket, remoteAddress, remotePort },
      // After a Retry the client addresses its packets to the ID that is ours already.
      { source: source.id, initial: originalConnectionId === null ? initialConnectionId : null },
      this.#parts.sharedWith(this.#ids),
      { ...options, handshakeTimeoutMs: limits.handshakeTimeoutMs },
      handshake,
    );
    handshake.driver = driver;
    this.#handshakes.add(handshake);
    this.#handshakesByAddress.set(remoteAddress, this.pendingHandshakes(remoteAddress) + 1);
    for (const datagram of applicant.datagrams) driver.receive(datagram);
  }

  #onEstablished(handshake: ServerHandshake): void {
    this.#forget(handshake);
    const { driver, kind, serverName } = handshake;
    const { policy, logger, limits, slab, credentials, options, nextConnectionId } = this.#parts;
    if (driver.engine.serverName?.toLowerCase() !== serverName || kindOfAlpn(driver.engine.alpn) !== kind) {
      // What was peeked must be what TLS saw, or the certificate was chosen for another name.
      driver.close(false, TRANSPORT_CODE.protocolViolation, 'the ClientHello was not what it seemed');
      return;
    }
    const id = nextConnectionId();
    const { remoteAddress, remotePort } = driver.carrier;
    const connection = new QuicConnection({
      id,
      kind,
      role: 'receiving',
      driver,
      security: new QuicSecurity(driver.engine, serverName, policy, null),
      slab,
      limits,
      logger: logger.child({ connectionId: id, transport: 'quic', remote: `${remoteAddress} ${remotePort}` }),
      streamWindowBytes: this.#parts.options.streamWindowBytes,
      serves: (domain) => credentials.serves(domain),
      mayOpenStreams: kind === 's2s' && options.reverseStreams,
    });
    driver.handOver(connection);
    this.#connections.add(connection);
    connection.released.then(() => this.#connections.delete(connection));
    this.#inbox.push(connection);
    // Nobody can do anything with one that has ended while it waited.
    connection.closed.then(() => this.#inbox.drop(connection));
  }

  #onHandshakeEnded(handshake: ServerHandshake, end: ConnectionEnd): void {
    if (!this.#forget(handshake)) return;
    this.#failedHandshakes += 1;
    this.#parts.logger.debug({ remote: handshake.remoteAddress, end: end.type }, 'a QUIC handshake failed');
  }

  #forget(handshake: ServerHandshake): boolean {
    if (!this.#handshakes.delete(handshake)) return false;
    const left = this.pendingHandshakes(handshake.remoteAddress) - 1;
    if (left > 0) this.#handshakesByAddress.set(handshake.remoteAddress, left);
    else this.#handshakesByAddress.delete(handshake.remoteAddress);
    return true;
  }

  async #close(drainMs: number): Promise<void> {
    const released = [...this.#handshakes].map((handshake) => handshake.released);
    for (const { driver } of this.#handshakes) driver.close(false, TRANSPORT_CODE.connectionRefused, 'shutting down');
    const connections = [...this.#connections];
    if (drainMs > 0) {
      const closings = Promise.all(connections.map((connection) => connection.close()));
      await withinMs(closings, drainMs);
    }
    for (const connection of this.#connections) connection.shutDown();
    await Promise.all([...released, ...connections.map((connection) => connection.released)]);
    this.#admission.close();
    await this.#endpoint.close();
    this.#inbox.complete();
    await this.#parts.release();
  }
}

/** A server connection before its handshake is complete. */
class ServerHandshake implements DriverOwner {
  driver!: ConnectionDriver;
  readonly kind: ConnectionKind;
  readonly serverName: string;
  readonly remoteAddress: string;
  readonly released: Promise<void>;
  readonly #listener: {
    onEstablished(handshake: ServerHandshake): void;
    onEnd(handshake: ServerHandshake, end: ConnectionEnd): void;
  };
  #release: () => void = () => undefined;

  constructor(
    kind: ConnectionKind,
    serverName: string,
    remoteAddress: string,
    listener: {
      onEstablished(handshake: ServerHandshake): void;
      onEnd(handshake: ServerHandshake, end: ConnectionEnd): void;
    },
  ) {
    this.kind = kind;
    this.serverName = serverName;
    this.remoteAddress = remoteAddress;
    this.#listener = listener;
    this.released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  onEstablished(): void {
    this.#listener.onEstablished(this);
    // Either a connection has it now, or it is closing.
    this.#release();
  }

  readonly unreadBytes = 0;

  onInput(): void {
    // Nothing is read before a connection has taken over.
  }

  onOutput(): void {
    // Nothing is written either.
  }

  onEnd(end: ConnectionEnd): void {
    this.#listener.onEnd(this, end);
  }

  onReleased(): void {
    this.#release();
  }
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
