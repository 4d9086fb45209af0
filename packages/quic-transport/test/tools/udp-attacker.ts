import dgram from 'node:dgram';
import { once } from 'node:events';
import { Attacker } from '../engine/attacker.ts';
import type { ShortPacketForge } from '../engine/packet-forge.ts';

/** The domain an {@link Attacker} connects to. */
export const ATTACKED_DOMAIN = 'server.example';

/** An attacker on a UDP socket: an honest handshake with a real listener, then packets made by hand. */
export class UdpAttacker {
  readonly attacker = new Attacker();
  readonly socket = dgram.createSocket('udp4');
  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
    this.socket.on('error', () => undefined);
    this.socket.on('message', (datagram) => {
      try {
        this.attacker.receive(datagram);
      } catch {
        // Whatever the server says to what was done to it.
      }
      this.flush();
    });
  }

  /** The handshake is complete, on both sides. */
  static async connect(port: number): Promise<UdpAttacker> {
    const peer = new UdpAttacker(port);
    peer.socket.bind(0, '127.0.0.1');
    await once(peer.socket, 'listening');
    peer.flush();
    // HANDSHAKE_DONE and spare connection IDs come when the server has finished too.
    while (peer.attacker.connection.availableDcids() === 0) await once(peer.socket, 'message');
    return peer;
  }

  get forge(): ShortPacketForge {
    return this.attacker.forge();
  }

  get isClosed(): boolean {
    return this.attacker.connection.isDraining() || this.attacker.connection.isClosed();
  }

  flush(): void {
    for (const datagram of this.attacker.transmit()) this.socket.send(datagram, this.#port, '127.0.0.1');
  }

  /** Sends one datagram, and resolves when the system has it. */
  send(datagram: Uint8Array, from: dgram.Socket = this.socket): Promise<void> {
    return new Promise((resolve) => from.send(datagram, this.#port, '127.0.0.1', () => resolve()));
  }

  async stop(): Promise<void> {
    this.attacker.dispose();
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }
}
