import dgram from 'node:dgram';
import { once } from 'node:events';
import type { EngineConnection } from '../../src/engine/port.ts';
import { QuicheEngine } from '../../src/engine/quiche.ts';
import { CLIENT_PATH, clientOptions, connectOptions, transmitAll } from '../engine/harness.ts';

/** One address from which handshakes are begun, real ones up to their first flight. */
export class HelloSource {
  readonly socket = dgram.createSocket('udp4');
  /** What came back, in order. */
  readonly answers: Buffer[] = [];
  readonly #engine = new QuicheEngine();
  readonly #config = this.#engine.createConfig(clientOptions({ requestPeerCertificate: true }));
  readonly #port: number;
  /** By connection ID of the client, as a hexadecimal text. */
  readonly #handshakes = new Map<string, EngineConnection>();
  readonly #followsRetry: boolean;

  private constructor(port: number, followsRetry: boolean) {
    this.#port = port;
    this.#followsRetry = followsRetry;
    this.socket.on('error', () => undefined);
    this.socket.on('message', (datagram) => this.#receive(datagram));
  }

  /** @param host 127.0.0.x. @param followsRetry whether the address proves itself when it is asked to. */
  static async open(port: number, host = '127.0.0.1', followsRetry = false): Promise<HelloSource> {
    const source = new HelloSource(port, followsRetry);
    source.socket.bind(0, host);
    await once(source.socket, 'listening');
    return source;
  }

  /** Begins one handshake, and forgets it unless a Retry is to be followed. @returns its first datagram. */
  async begin(): Promise<Uint8Array> {
    const options = connectOptions();
    const connection = this.#engine.connect(this.#config, { ...options, path: CLIENT_PATH });
    const [hello] = transmitAll(connection) as [Uint8Array];
    if (this.#followsRetry) this.#handshakes.set(Buffer.from(options.sourceConnectionId).toString('hex'), connection);
    await this.send(hello);
    return hello;
  }

  /** Sends one datagram, and resolves when the system has it. */
  send(datagram: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.send(datagram, this.#port, '127.0.0.1', () => resolve()));
  }

  /** Sends one datagram, and resolves with the next that comes. */
  async ask(datagram: Uint8Array): Promise<Buffer> {
    const answer = once(this.socket, 'message') as Promise<[Buffer]>;
    await this.send(datagram);
    return (await answer)[0];
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  #receive(datagram: Buffer): void {
    this.answers.push(datagram);
    const id = datagram.subarray(6, 6 + (datagram[5] ?? 0)).toString('hex');
    const connection = this.#handshakes.get(id);
    if (connection === undefined) return;
    // One answer of each client is of interest; after that it is silent.
    this.#handshakes.delete(id);
    connection.receive(Uint8Array.from(datagram), CLIENT_PATH);
    const [again] = transmitAll(connection);
    const isRetry = (((datagram[0] ?? 0) >> 4) & 3) === 3;
    if (isRetry && again !== undefined) void this.send(again);
  }
}
