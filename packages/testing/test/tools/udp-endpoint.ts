import dgram from 'node:dgram';
import { once } from 'node:events';
import type { SocketAddress } from '@stanzaport/core';

/** A datagram that has come, and where from. */
export interface Arrived {
  readonly text: string;
  readonly datagram: Buffer;
  readonly from: { readonly address: string; readonly port: number };
}

/** A plain UDP socket that keeps what comes. */
export class UdpEndpoint implements AsyncDisposable {
  readonly arrived: Arrived[] = [];
  /** What answers; null: nothing is answered. */
  answer: ((datagram: Buffer) => Uint8Array | string) | null = null;
  readonly #socket: dgram.Socket;
  #onArrival: (() => void) | null = null;

  private constructor(socket: dgram.Socket) {
    this.#socket = socket;
    socket.setRecvBufferSize(4 * 1024 * 1024);
    socket.on('message', (datagram, from) => {
      this.arrived.push({ text: String(datagram), datagram, from });
      if (this.answer !== null) socket.send(this.answer(datagram), from.port, from.address);
      this.#onArrival?.();
    });
  }

  static async open(host = '127.0.0.1', port = 0): Promise<UdpEndpoint> {
    const socket = dgram.createSocket({
      type: host.includes(':') ? 'udp6' : 'udp4',
      lookup: (name, _options, callback) => callback(null, name, host.includes(':') ? 6 : 4),
    });
    const listening = once(socket, 'listening');
    socket.bind(port, host);
    await listening;
    return new UdpEndpoint(socket);
  }

  /** One that sends back what comes. */
  static async echo(host?: string): Promise<UdpEndpoint> {
    const endpoint = await UdpEndpoint.open(host);
    endpoint.answer = (datagram) => datagram;
    return endpoint;
  }

  get address(): SocketAddress {
    const { address, port, family } = this.#socket.address();
    return { family: family === 'IPv6' ? 'IPv6' : 'IPv4', address, port };
  }

  get texts(): string[] {
    return this.arrived.map(({ text }) => text);
  }

  send(datagram: Uint8Array | string, to: { readonly address: string; readonly port: number }): void {
    this.#socket.send(datagram, to.port, to.address);
  }

  /** Resolves with the last one when `count` in all have come. */
  async received(count: number): Promise<Arrived> {
    while (this.arrived.length < count) {
      await new Promise<void>((resolve) => {
        this.#onArrival = resolve;
      });
    }
    return this.arrived[count - 1] as Arrived;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}
