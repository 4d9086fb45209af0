import dgram from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type SocketAddress, TransportError } from '@stanzaport/core';
import type { PortSharing } from './port-sharing.ts';

/** What a socket tells its owner. */
export interface UdpSocketHandler {
  /** One datagram; the buffer is the handler's own. Addresses are as the system gives them. */
  onDatagram(datagram: Buffer, remoteAddress: string, remotePort: number, socket: UdpSocket): void;
  /** A send failed, or the system reported an ICMP error on a connected socket. The socket goes on. */
  onError(error: NodeJS.ErrnoException, socket: UdpSocket): void;
}

/** What a socket is bound and connected to. */
export interface UdpSocketOptions {
  readonly host: string;
  readonly port: number;
  /** Connect to this peer: cheaper sends, and ICMP errors become known. */
  readonly connectTo?: { readonly address: string; readonly port: number };
  /** Other processes have the same port. @defaultValue null, the port is this process's own */
  readonly sharing?: PortSharing | null;
}

/** Newer than the types of the oldest Node.js this runs on, which does not know the option and leaves it alone. */
interface SocketOptions extends dgram.SocketOptions {
  readonly reusePort: boolean;
}

/** Asked of the kernel for both directions, which caps it: its default drops bursts even on loopback. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/** One bound UDP socket: datagrams in and out, and nothing else. The only I/O of this package. */
export class UdpSocket {
  /** Address and port of those that other processes have as well: the kernel would let this process have them twice. */
  static readonly #shared = new Set<string>();
  readonly address: SocketAddress;
  readonly #socket: dgram.Socket;
  readonly #connected: boolean;
  readonly #handler: UdpSocketHandler;
  #closed: Promise<void> | null = null;

  private constructor(socket: dgram.Socket, connected: boolean, handler: UdpSocketHandler) {
    this.#socket = socket;
    this.#connected = connected;
    this.#handler = handler;
    const { address, port, family } = socket.address();
    this.address = Object.freeze({ family: family === 'IPv6' ? 'IPv6' : 'IPv4', address, port });
    socket.on('message', (datagram, remote) => handler.onDatagram(datagram, remote.address, remote.port, this));
    socket.on('error', (error) => handler.onError(error, this));
    try {
      socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
      socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
    } catch {
      // A system that refuses larger buffers works with its own, with more loss under bursts.
    }
  }

  /**
   * @throws TransportError `XMPP_ADDRESS_IN_USE`, `XMPP_ADDRESS_UNAVAILABLE` or `XMPP_UNREACHABLE`, naming host and port.
   */
  static async open(
    { host, port, connectTo, sharing = null }: UdpSocketOptions,
    handler: UdpSocketHandler,
  ): Promise<UdpSocket> {
    const ipv6 = isIPv6(host);
    const place = `${host} ${port}`;
    if (sharing !== null && UdpSocket.#shared.has(place)) {
      throw new TransportError('XMPP_ADDRESS_IN_USE', `UDP ${host} port ${port} is in use by this process`);
    }
    const options: SocketOptions = {
      type: ipv6 ? 'udp6' : 'udp4',
      ipv6Only: ipv6,
      reusePort: sharing === 'reuse-port',
      // Without this dgram resolves even literal addresses on a later tick, and every send would have to be copied.
      lookup: (name, _options, callback) => callback(null, name, ipv6 ? 6 : 4),
    };
    const socket = dgram.createSocket(options);
    try {
      await settled(socket, 'listening', () => socket.bind({ address: host, port, exclusive: sharing !== 'cluster' }));
      if (connectTo !== undefined) {
        await settled(socket, 'connect', () => socket.connect(connectTo.port, connectTo.address));
      }
    } catch (error) {
      socket.close();
      throw toSocketError(error as NodeJS.ErrnoException, host, port);
    }
    if (sharing !== null) UdpSocket.#shared.add(place);
    return new UdpSocket(socket, connectTo !== undefined, handler);
  }

  /**
   * Sends one datagram at once, or leaves it to the kernel's mercy: UDP promises nothing.
   * Never throws, whatever address a peer has made us send to.
   * @returns whether `datagram` may be overwritten now; false when the kernel was full and a reference is kept.
   */
  send(datagram: Uint8Array, remoteAddress: string, remotePort: number): boolean {
    if (this.#closed !== null) return true;
    try {
      if (this.#connected) this.#socket.send(datagram);
      else this.#socket.send(datagram, remotePort, remoteAddress);
    } catch (error) {
      this.#handler.onError(error as NodeJS.ErrnoException, this);
    }
    return this.#socket.getSendQueueCount() === 0;
  }

  /** Idempotent; resolves when the port is free again. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#socket.close(() => {
        UdpSocket.#shared.delete(`${this.address.address} ${this.address.port}`);
        resolve();
      });
    });
    return this.#closed;
  }
}

function settled(socket: dgram.Socket, event: 'listening' | 'connect', start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      socket.off('error', failed);
      resolve();
    };
    const failed = (error: Error): void => {
      socket.off(event, done);
      reject(error);
    };
    socket.once(event, done);
    socket.once('error', failed);
    start();
  });
}

function toSocketError(error: NodeJS.ErrnoException, host: string, port: number): TransportError {
  const where = `UDP ${isIPv6(host) ? `[${host}]` : host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new TransportError('XMPP_ADDRESS_IN_USE', `${where} is in use`, { cause: error });
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return new TransportError('XMPP_UNREACHABLE', `${where}: no route (${error.code})`, { cause: error });
    default:
      return new TransportError('XMPP_ADDRESS_UNAVAILABLE', `${where} cannot be bound (${error.code})`, {
        cause: error,
      });
  }
}
