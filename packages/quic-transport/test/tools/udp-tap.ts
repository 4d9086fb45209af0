import dgram from 'node:dgram';
import { once } from 'node:events';

/** Which way a datagram goes. */
export type Direction = 'to-server' | 'to-client';

/**
 * A wire between one client and a server that can be read and stopped: it keeps a copy of every datagram, and holds those of
 * a direction back until they are let go.
 */
export class UdpTap {
  /** Every datagram a side has sent, also one that was held. */
  readonly seen: Readonly<Record<Direction, Buffer[]>> = { 'to-server': [], 'to-client': [] };
  readonly #outer: dgram.Socket;
  readonly #inner: dgram.Socket;
  readonly #server: number;
  #client = 0;
  readonly #held = new Map<Direction, Buffer[]>();

  private constructor(server: number, outer: dgram.Socket, inner: dgram.Socket) {
    this.#server = server;
    this.#outer = outer;
    this.#inner = inner;
    outer.on('message', (datagram, { port }) => {
      this.#client = port;
      this.#carry('to-server', datagram);
    });
    inner.on('message', (datagram) => this.#carry('to-client', datagram));
    for (const socket of [outer, inner]) socket.on('error', () => undefined);
  }

  static async open(server: number): Promise<UdpTap> {
    const sockets = [dgram.createSocket('udp4'), dgram.createSocket('udp4')] as const;
    await Promise.all(
      sockets.map((socket) => {
        socket.bind(0, '127.0.0.1');
        return once(socket, 'listening');
      }),
    );
    return new UdpTap(server, ...sockets);
  }

  /** Where the client is to send to. */
  get port(): number {
    return this.#outer.address().port;
  }

  /** From now on nothing goes this way. */
  hold(direction: Direction): void {
    if (!this.#held.has(direction)) this.#held.set(direction, []);
  }

  /** What was held goes on, or is lost. */
  release(direction: Direction, fate: 'arrives' | 'is-lost' = 'arrives'): void {
    const held = this.#held.get(direction) ?? [];
    this.#held.delete(direction);
    if (fate === 'arrives') for (const datagram of held) this.send(direction, datagram);
  }

  /** Sends one as if it came from the other side. */
  send(direction: Direction, datagram: Uint8Array): void {
    if (direction === 'to-server') this.#inner.send(datagram, this.#server, '127.0.0.1');
    else this.#outer.send(datagram, this.#client, '127.0.0.1');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [this.#outer, this.#inner].map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
    );
  }

  #carry(direction: Direction, datagram: Buffer): void {
    this.seen[direction].push(Buffer.from(datagram));
    const held = this.#held.get(direction);
    if (held === undefined) this.send(direction, datagram);
    else held.push(datagram);
  }
}
