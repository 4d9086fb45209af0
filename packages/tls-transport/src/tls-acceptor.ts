import type { Server, Socket } from 'node:net';
import { type ConnectionKind, TransportError, toTransportError } from '@stanzaport/core';
import { ServerHandshake } from './server-handshake.ts';
import type { SecuredSocket } from './tls-connection.ts';
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

/** Takes TCP connections in, no more than there is room for, and secures them. */
export class TlsAcceptor {
  /** Told of each connection that is secured. */
  onSecured: (secured: SecuredSocket) => void = ({ tcp }) => tcp.destroy();
  readonly #parts: TlsParts;
  readonly #kinds: readonly ConnectionKind[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #socketsByAddress = new Map<string, number>();
  /** Sockets with which nothing but a handshake was ever done. */
  readonly #unsecured = new Set<Socket>();
  readonly #handshakes = new Set<ServerHandshake>();
  readonly #handshakesByAddress = new Map<string, number>();
  #accepted = 0;
  #refused = 0;
  #failedHandshakes = 0;
  #stopped = false;

  constructor(parts: TlsParts, kinds: readonly ConnectionKind[], server: Server) {
    this.#parts = parts;
    this.#kinds = kinds;
    this.#server = server;
    server.on('connection', (tcp) => this.#accept(tcp));
    // Running out of file descriptors, mostly; the next connection may be taken again.
    server.on('error', (err) => parts.logger.error({ err }, 'a connection could not be accepted'));
  }

  get counters(): TlsListenerCounters {
    return { accepted: this.#accepted, refused: this.#refused, failedHandshakes: this.#failedHandshakes };
  }

  /** Handshakes that are under way, and sockets of those that failed and are still closing. */
  get pendingHandshakeCount(): number {
    return this.#unsecured.size;
  }

  /** Gives up what is not secured yet; resolves when the last socket is closed, of secured ones too. */
  stop(): Promise<void> {
    this.#stopped = true;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const handshake of this.#handshakes) {
      handshake.fail(new TransportError('XMPP_SHUTDOWN', 'the listener was closed'));
    }
    return closed;
  }

  #accept(tcp: Socket): void {
    this.#accepted += 1;
    const address = tcp.remoteAddress;
    // It may have gone while it waited to be accepted.
    if (address === undefined || this.#stopped || this.#isCrowded(address)) {
      this.#refused += 1;
      tcp.destroy();
      return;
    }
    this.#sockets.add(tcp);
    this.#unsecured.add(tcp);
    add(this.#socketsByAddress, address, 1);
    const handshake = new ServerHandshake(tcp, this.#parts, this.#kinds, {
      onSecured: (done, secured) => {
        this.#forget(done);
        this.#unsecured.delete(tcp);
        this.onSecured(secured);
      },
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
      this.#unsecured.delete(tcp);
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

  #forget(handshake: ServerHandshake): void {
    if (this.#handshakes.delete(handshake)) add(this.#handshakesByAddress, handshake.remoteAddress, -1);
  }
}

function add(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
