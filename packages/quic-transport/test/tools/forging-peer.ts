import dgram from 'node:dgram';
import { once } from 'node:events';
import { Attacker } from '../engine/attacker.ts';
import type { ShortPacketForge, ShortPacketReader } from '../engine/packet-forge.ts';
import { FRAME, type Frame, parseFrames } from './frames.ts';

/**
 * A client that completes an honest handshake, and after that sends nothing but packets made by hand. What the server
 * says is read and not answered: it is not even acknowledged, unless by hand.
 */
export class ForgingPeer {
  readonly socket = dgram.createSocket('udp4');
  readonly #attacker = new Attacker();
  readonly #port: number;
  readonly #handshake: Buffer[] = [];
  #forge: ShortPacketForge | null = null;
  #reader: ShortPacketReader | null = null;
  readonly #connectionIds: Uint8Array[] = [];
  #receivedBytes = 0;
  #closedBy: { readonly application: boolean; readonly code: number } | null = null;
  #types = new Set<number>();

  private constructor(port: number) {
    this.#port = port;
    this.socket.on('error', () => undefined);
    this.socket.on('message', (datagram) => this.#receive(datagram));
  }

  /** @param opening bytes to send on stream 0 with the last packets by the rules. */
  static async connect(port: number, opening = ''): Promise<ForgingPeer> {
    const peer = new ForgingPeer(port);
    peer.socket.bind(0, '127.0.0.1');
    await once(peer.socket, 'listening');
    peer.socket.setRecvBufferSize(4 * 1024 * 1024);
    const { connection } = peer.#attacker;
    peer.#flush();
    // HANDSHAKE_DONE and spare connection IDs come when the server has finished too.
    while (connection.availableDcids() === 0) await once(peer.socket, 'message');
    if (opening !== '') {
      connection.streamSend(0, Buffer.from(opening), false);
      peer.#flush();
    }
    peer.#connectionIds.push(connection.destinationId());
    peer.#reader = peer.#attacker.reader();
    peer.#forge = peer.#attacker.forge();
    for (const datagram of peer.#handshake) peer.#read(datagram);
    return peer;
  }

  /** The server's connection IDs, the one of the handshake first. */
  get connectionIds(): readonly Uint8Array[] {
    return this.#connectionIds;
  }

  /** Bytes that came to {@link socket} since the handshake. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** CONNECTION_CLOSE of the server, once it has come. */
  get closedBy(): { readonly application: boolean; readonly code: number } | null {
    return this.#closedBy;
  }

  /** Types of all frames that came in 1-RTT packets. */
  get frameTypes(): ReadonlySet<number> {
    return this.#types;
  }

  /** A packet of these frames, addressed to the server's first connection ID. */
  seal(...frames: readonly Uint8Array[]): Uint8Array {
    return (this.#forge as ShortPacketForge).seal(...frames);
  }

  /** Packets to another connection ID. @param firstPacketNumber above all that were sent. */
  forgeTo(connectionId: Uint8Array, firstPacketNumber: number): ShortPacketForge {
    return this.#attacker.forge(connectionId, firstPacketNumber);
  }

  /** Sends one datagram, and resolves when the system has it. */
  send(datagram: Uint8Array, from: dgram.Socket = this.socket): Promise<void> {
    return new Promise((resolve) => from.send(datagram, this.#port, '127.0.0.1', () => resolve()));
  }

  /** Resolves when the server has said that it closed the connection. */
  async closed(): Promise<{ readonly application: boolean; readonly code: number }> {
    while (this.#closedBy === null) await once(this.socket, 'message');
    return this.#closedBy;
  }

  async stop(): Promise<void> {
    this.#attacker.dispose();
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  #flush(): void {
    for (const datagram of this.#attacker.transmit()) this.socket.send(datagram, this.#port, '127.0.0.1');
  }

  #receive(datagram: Buffer): void {
    if (this.#reader !== null) {
      this.#receivedBytes += datagram.length;
      this.#read(datagram);
      return;
    }
    this.#handshake.push(Buffer.from(datagram));
    this.#attacker.receive(datagram);
    this.#flush();
  }

  #read(datagram: Uint8Array): void {
    const payload = this.#reader?.open(datagram) ?? null;
    if (payload === null) return;
    for (const frame of parseFrames(payload)) this.#note(frame);
  }

  #note({ type, numbers, bytes }: Frame): void {
    this.#types.add(type);
    if (type === FRAME.newConnectionId) this.#connectionIds.push(Uint8Array.from(bytes));
    const application = type === FRAME.closeApplication;
    if (application || type === FRAME.closeTransport) this.#closedBy = { application, code: numbers[0] as number };
  }
}
