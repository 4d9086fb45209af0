import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import type { TestCredential } from '@stanzaport/testing';
import { VIRTUAL_PATH } from '../../src/endpoint/virtual-path.ts';
import type { EngineConfigOptions, EngineConnection } from '../../src/engine/port.ts';
import { QuicheEngine } from '../../src/engine/quiche.ts';

/** A QUIC server below the contract, for one client: whatever it is configured to speak. */
export class RawQuicServer {
  readonly port: number;
  readonly socket: dgram.Socket;
  /** The one connection, once a client has come. */
  engine: EngineConnection | null = null;
  #timer: NodeJS.Timeout | undefined;
  readonly #watchers = new Set<() => void>();

  private constructor(socket: dgram.Socket, config: EngineConfigOptions) {
    this.socket = socket;
    this.port = socket.address().port;
    const engine = new QuicheEngine();
    const native = engine.createConfig(config);
    socket.on('message', (datagram, { address, port }) => {
      this.engine ??= engine.accept(native, {
        sourceConnectionId: randomBytes(16),
        originalDestinationConnectionId: null,
        path: VIRTUAL_PATH,
        resetToken: randomBytes(16),
      });
      try {
        this.engine.receive(datagram, VIRTUAL_PATH);
      } catch {
        // The engine closes by itself; its errors are read from it.
      }
      this.#flush(this.engine, address, port);
    });
    socket.on('error', () => undefined);
  }

  static async start(credential: TestCredential, alpn: readonly string[]): Promise<RawQuicServer> {
    const socket = dgram.createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new RawQuicServer(socket, {
      role: 'server',
      alpn,
      credential: { chainPem: Buffer.from(credential.chainPem), keyPem: Buffer.from(credential.keyPem) },
      requestPeerCertificate: false,
      idleTimeoutMs: 30_000,
      maxDatagramBytes: 1_350,
      streamWindowBytes: 65_536,
      maxStreamWindowBytes: 65_536,
      maxPeerStreams: 16,
      activeConnectionIdLimit: 8,
    });
  }

  /** Resolves when `condition` holds; it is looked at after every datagram. */
  until(condition: (engine: EngineConnection) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.engine === null || !condition(this.engine)) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  #flush(engine: EngineConnection, address: string, port: number): void {
    const buffer = Buffer.alloc(2_048);
    for (let bytes = engine.transmit(buffer); bytes > 0; bytes = engine.transmit(buffer)) {
      this.socket.send(Buffer.from(buffer.subarray(0, bytes)), port, address);
    }
    clearTimeout(this.#timer);
    if (engine.deadlineMs !== null) {
      this.#timer = setTimeout(() => {
        engine.onDeadline();
        this.#flush(engine, address, port);
      }, engine.deadlineMs);
    }
    for (const watcher of this.#watchers) watcher();
  }
}
