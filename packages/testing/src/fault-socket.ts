import dgram from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type SocketAddress, TransportError } from '@stanzaport/core';

/** What a socket tells its owner. */
export interface FaultSocketHandler {
  onDatagram(datagram: Uint8Array, address: string, port: number, socket: FaultSocket): void;
  /** The system refused a datagram that was sent. */
  onRefused(): void;
}

/** Asked of the kernel for both directions, which caps it: its default drops bursts even on loopback. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/** A UDP socket that may be sent on at once: what is sent before it is bound follows when it is. */
export class FaultSocket {
  /** Rejects with a TransportError `XMPP_ADDRESS_IN_USE` or `XMPP_ADDRESS_UNAVAILABLE`, naming host and port. */
  readonly bound: Promise<void>;
  readonly #socket: dgram.Socket;
  readonly #handler: FaultSocketHandler;
  #address: SocketAddress | null = null;
  #closed: Promise<void> | null = null;

  constructor(host: string, port: number, handler: FaultSocketHandler) {
    const ipv6 = isIPv6(host);
    this.#handler = handler;
    this.#socket = dgram.createSocket({
      type: ipv6 ? 'udp6' : 'udp4',
      ipv6Only: ipv6,
      // Without this dgram resolves even literal addresses on a later tick.
      lookup: (name, _options, callback) => callback(null, name, ipv6 ? 6 : 4),
    });
    this.#socket.on('message', (datagram, remote) => handler.onDatagram(datagram, remote.address, remote.port, this));
    this.bound = new Promise((resolve, reject) => {
      this.#socket.once('listening', () => {
        this.#onListening();
        resolve();
      });
      this.#socket.on('error', (error: NodeJS.ErrnoException) => {
        if (this.#address === null) reject(toSocketError(error, host, port));
        else handler.onRefused();
      });
    });
    // Who needs to know awaits it; for the others a socket that cannot be bound is a network that does not work.
    this.bound.catch(() => undefined);
    this.#socket.bind({ address: host, port, exclusive: true });
  }

  /** Null until it is bound. */
  get address(): SocketAddress | null {
    return this.#address;
  }

  get isClosed(): boolean {
    return this.#closed !== null;
  }

  /** Never throws: UDP promises nothing. */
  send(datagram: Uint8Array, address: string, port: number): void {
    if (this.#closed !== null) return;
    try {
      this.#socket.send(datagram, port, address);
    } catch {
      // Port 0, for one, is a source that a datagram can have and no destination.
      this.#handler.onRefused();
    }
  }

  /** Idempotent; resolves when the port is free again. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#socket.close(() => resolve());
    });
    return this.#closed;
  }

  #onListening(): void {
    const { address, port, family } = this.#socket.address();
    this.#address = Object.freeze({ family: family === 'IPv6' ? 'IPv6' : 'IPv4', address, port });
    try {
      this.#socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
      this.#socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
    } catch {
      // A system that refuses larger buffers works with its own, with more loss under bursts.
    }
  }
}

function toSocketError(error: NodeJS.ErrnoException, host: string, port: number): TransportError {
  const where = `UDP ${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return error.code === 'EADDRINUSE'
    ? new TransportError('XMPP_ADDRESS_IN_USE', `${where} is in use`, { cause: error })
    : new TransportError('XMPP_ADDRESS_UNAVAILABLE', `${where} cannot be bound (${error.code})`, { cause: error });
}
