import { once } from 'node:events';
import { type AddressInfo, createServer, isIP, type Server, type Socket } from 'node:net';
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
import type { Observable } from 'rxjs';
import { checkKind } from './options.ts';
import { type SecuredSocket, ServerHandshake } from './server-handshake.ts';
import { pathOf } from './socket-address.ts';
import { TlsConnection } from './tls-connection.ts';
import type { TlsParts } from './tls-parts.ts';

/** Counters of a listener, for monitoring. */
export interface TlsListenerCounters {
  /** TCP connections accepted, whatever became of them. */
  readonly accepted: number;
  /** TCP connections closed at once, because there were too many in all or from their address. */
  readonly refused: number;
  /** Handshakes, with what comes before in STARTTLS, that came to nothing. */
  readonly failedHandshakes: number;
}

/** A bound TCP port in the receiving role. */
export class TlsListener implements Listener {
  readonly transport: string;
  readonly address: SocketAddress;
  readonly connections$: Observable<Connection>;
  readonly #parts: TlsParts;
  readonly #kinds: readonly ConnectionKind[];
  readonly #server: Server;
  /** Ends the checking of credentials that are to come into force. */
  readonly #stopChecking: () => void;
  readonly #inbox: Inbox<Connection>;
  readonly #sockets = new Set<Socket>();
  readonly #socketsByAddress = new Map<string, number>();
  readonly #handshakes = new Set<ServerHandshake>();
  readonly #handshakesByAddress = new Map<string, number>();
  readonly #connections = new Set<TlsConnection>();
  #accepted = 0;
  #refused = 0;
  #failedHandshakes = 0;
  #closing: Promise<void> | null = null;

  private constructor(
    parts: TlsParts,
    kinds: readonly ConnectionKind[],
    bound: { readonly server: Server; readonly address: SocketAddress; readonly stopChecking: () => void },
  ) {
    this.#parts = parts;
    this.#kinds = kinds;
    this.#server = bound.server;
    this.#stopChecking = bound.stopChecking;
    this.transport = parts.upgrade;
    this.address = bound.address;
    this.#inbox = new Inbox((thrown) =>
      parts.logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of the listener failed'),
    );
    this.connections$ = this.#inbox.observable;
    this.#server.on('connection', (tcp) => this.#accept(tcp));
    // Running out of file descriptors, mostly; the next connection may be taken again.
    this.#server.on('error', (err) => parts.logger.error({ err }, 'a connection could not be accepted'));
  }

  /** @throws TransportError of category `config`. */
  static async open(parts: TlsParts, { host = '::', port, kinds = ['c2s'] }: ListenOptions): Promise<TlsListener> {
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new TransportError('XMPP_BAD_OPTION', `listen: ${port} is no port`);
    }
    if (isIP(host) === 0) throw new TransportError('XMPP_BAD_OPTION', `listen: '${host}' is no IP address`);
    if (kinds.length === 0) throw new TransportError('XMPP_BAD_OPTION', 'listen: kinds is empty');
    for (const kind of kinds) checkKind(kind, 'listen');
    const { credentials, contexts, options } = parts;
    if (credentials.domains.length === 0) {
      throw new TransportError('XMPP_BAD_OPTION', 'listen: TLS needs at least one credential');
    }
    if (options.defaultDomain !== null && !credentials.serves(options.defaultDomain)) {
      throw new TransportError('XMPP_BAD_OPTION', `listen: there is no credential for '${options.defaultDomain}'`);
    }
    // A credential the TLS stack does not take has to be known before a client asks for it.
    const stopChecking = credentials.checkWith((credential) => void contexts.of(credential));
    const keepAlive = options.keepAliveMs > 0;
    const server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive,
      keepAliveInitialDelay: options.keepAliveMs,
    });
    try {
      server.listen({ host, port });
      await once(server, 'listening');
    } catch (cause) {
      stopChecking();
      throw listenError(cause as NodeJS.ErrnoException, host, port);
    }
    const { family, address, port: bound } = server.address() as AddressInfo;
    const local: SocketAddress = { family: family === 'IPv6' ? 'IPv6' : 'IPv4', address, port: bound };
    return new TlsListener(parts, [...new Set(kinds)], { server, address: local, stopChecking });
  }

  get counters(): TlsListenerCounters {
    return { accepted: this.#accepted, refused: this.#refused, failedHandshakes: this.#failedHandshakes };
  }

  /** Connections that are open now. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Handshakes that are under way, and sockets of those that failed and are still closing. */
  get pendingHandshakeCount(): number {
    return this.#sockets.size - this.#connections.size;
  }

  close(options: DrainOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.drainMs ?? this.#parts.limits.closeTimeoutMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(tcp: Socket): void {
    this.#accepted += 1;
    const address = tcp.remoteAddress;
    // It may have gone while it waited to be accepted.
    if (address === undefined || this.#closing !== null || this.#isCrowded(address)) {
      this.#refused += 1;
      tcp.destroy();
      return;
    }
    this.#sockets.add(tcp);
    add(this.#socketsByAddress, address, 1);
    const handshake = new ServerHandshake(tcp, this.#parts, this.#kinds, {
      onSecured: (done, secured) => this.#onSecured(done, secured),
      onFailed: (done, error) => {
        if (!this.#handshakes.has(done)) return;
        this.#failedHandshakes += 1;
        const { remoteAddress: remote } = done;
        this.#parts.logger.debug({ remote, code: error.code, reason: error.message }, 'a handshake failed');
      },
    });
    this.#handshakes.add(handshake);
    add(this.#handshakesByAddress, address, 1);
    tcp.once('close', () => {
      this.#sockets.delete(tcp);
      add(this.#socketsByAddress, address, -1);
      this.#forget(handshake);
    });
    try {
      handshake.start();
    } catch (thrown) {
      const error = toTransportError(thrown, 'accept');
      this.#parts.logger.error({ err: error }, 'a client could not be let in');
      handshake.fail(error);
    }
  }

  #isCrowded(address: string): boolean {
    const { limits, options } = this.#parts;
    return (
      this.#sockets.size >= options.maxConnections ||
      (this.#socketsByAddress.get(address) ?? 0) >= options.maxConnectionsPerAddress ||
      this.#handshakes.size >= limits.maxPendingHandshakes ||
      (this.#handshakesByAddress.get(address) ?? 0) >= limits.maxPendingHandshakesPerAddress
    );
  }

  #onSecured(handshake: ServerHandshake, { kind, tls, tcp, security }: SecuredSocket): void {
    this.#forget(handshake);
    const { upgrade, limits, logger, credentials } = this.#parts;
    const path = pathOf(tcp);
    if (path === null || this.#closing !== null) {
      tcp.destroy();
      return;
    }
    const id = this.#parts.nextConnectionId();
    const connection = new TlsConnection({
      id,
      transport: upgrade,
      kind,
      role: 'receiving',
      tls,
      tcp,
      security,
      path,
      limits,
      logger: logger.child({
        connectionId: id,
        transport: upgrade,
        remote: `${path.remote.address} ${path.remote.port}`,
      }),
      serves: (domain) => credentials.serves(domain),
    });
    this.#connections.add(connection);
    connection.released.then(() => this.#connections.delete(connection));
    this.#inbox.push(connection);
    // Nobody can do anything with one that has ended while it waited.
    connection.closed.then(() => this.#inbox.drop(connection));
  }

  #forget(handshake: ServerHandshake): void {
    if (this.#handshakes.delete(handshake)) add(this.#handshakesByAddress, handshake.remoteAddress, -1);
  }

  async #close(drainMs: number): Promise<void> {
    this.#stopChecking();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const handshake of this.#handshakes) {
      handshake.fail(new TransportError('XMPP_SHUTDOWN', 'the listener was closed'));
    }
    const connections = [...this.#connections];
    if (drainMs > 0) {
      const closings = Promise.all(connections.map((connection) => connection.close()));
      await withinMs(closings, drainMs);
    }
    for (const connection of connections) connection.shutDown();
    // The server is closed when the last of its sockets is.
    await closed;
    this.#inbox.complete();
  }
}

function add(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): TransportError {
  const place = `${host} port ${port}`;
  return cause.code === 'EADDRINUSE'
    ? new TransportError('XMPP_ADDRESS_IN_USE', `listen: ${place} is in use`, { cause })
    : new TransportError('XMPP_ADDRESS_UNAVAILABLE', `listen: ${place} cannot be bound (${cause.code})`, { cause });
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
