import type { ConnectionIds } from './connection-ids.ts';
import type { HandedDatagram } from './hand-over-frames.ts';
import { destinationConnectionIdKey } from './packet-header.ts';
import { UdpSocket, type UdpSocketHandler, type UdpSocketOptions } from './udp-socket.ts';

/** What an endpoint does with what is none of its connections'. */
export interface EndpointFallback {
  /** The connection ID of the datagram leads nowhere. */
  onUnrouted(datagram: Buffer, remoteAddress: string, remotePort: number, socket: UdpSocket): void;
  onSocketError(error: NodeJS.ErrnoException, socket: UdpSocket): void;
}

/** One or more UDP sockets and the connections behind them: leads each datagram to the connection it is addressed to. */
export class Endpoint implements UdpSocketHandler {
  readonly #ids: ConnectionIds<UdpSocket>;
  readonly #fallback: EndpointFallback;
  readonly #sockets: UdpSocket[] = [];
  readonly #closing = new Set<Promise<void>>();
  #received = 0;

  constructor(ids: ConnectionIds<UdpSocket>, fallback: EndpointFallback) {
    this.#ids = ids;
    this.#fallback = fallback;
  }

  /** Datagrams that came, whatever became of them. */
  get received(): number {
    return this.#received;
  }

  /** @throws TransportError as {@link UdpSocket.open}. */
  async open(options: UdpSocketOptions): Promise<UdpSocket> {
    const socket = await UdpSocket.open(options, this);
    this.#sockets.push(socket);
    return socket;
  }

  /** Closes one socket; what comes to it is lost. */
  closeSocket(socket: UdpSocket): void {
    const index = this.#sockets.indexOf(socket);
    if (index < 0) return;
    this.#sockets.splice(index, 1);
    const closing = socket.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Closes every socket; resolves when their ports are free. */
  async close(): Promise<void> {
    await Promise.all([...this.#closing, ...this.#sockets.map((socket) => socket.close())]);
  }

  onDatagram(datagram: Buffer, remoteAddress: string, remotePort: number, socket: UdpSocket): void {
    this.#received += 1;
    // UDP allows source port 0 (RFC 768), which nobody can be answered at.
    if (remotePort === 0) return;
    if (this.#route(datagram, remoteAddress, remotePort, socket)) return;
    this.#fallback.onUnrouted(datagram, remoteAddress, remotePort, socket);
  }

  /**
   * A datagram that came to another process, at `localAddress`.
   * @param onUnrouted takes the place of the fallback, which might send it back there.
   */
  onHandedDatagram(
    { datagram, remoteAddress, remotePort, localAddress }: HandedDatagram,
    onUnrouted: EndpointFallback['onUnrouted'],
  ): void {
    const socket = this.#sockets.find(({ address }) => address.address === localAddress);
    if (socket === undefined) return;
    this.#received += 1;
    if (this.#route(datagram, remoteAddress, remotePort, socket)) return;
    onUnrouted(datagram, remoteAddress, remotePort, socket);
  }

  #route(datagram: Buffer, remoteAddress: string, remotePort: number, socket: UdpSocket): boolean {
    const key = destinationConnectionIdKey(datagram, this.#ids.bytes);
    const addressee = key === null ? undefined : this.#ids.find(key);
    addressee?.receive(datagram, remoteAddress, remotePort, socket, key);
    return addressee !== undefined;
  }

  onError(error: NodeJS.ErrnoException, socket: UdpSocket): void {
    this.#fallback.onSocketError(error, socket);
  }
}
