import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import native from '@matrixai/quic/native/quiche.js';
import { CLIENT_PATH, ID_BYTES } from './harness.ts';
import { ShortPacketForge, ShortPacketReader } from './packet-forge.ts';

type NativeConnection = ReturnType<typeof native.Connection.connect>;

/**
 * A client that completes an honest handshake and then sends what it likes: it takes the native binding itself, for
 * its log of TLS secrets, which the port does not have.
 */
export class Attacker {
  readonly #folder = mkdtempSync(join(tmpdir(), 'attacker-'));
  readonly #buffer = Buffer.alloc(65_536);
  readonly #info = { from: CLIENT_PATH.remote, to: CLIENT_PATH.local };
  readonly connection: NativeConnection;

  constructor(alpn = 'xmpp-client') {
    const config = native.Config.withBoringSslCtx(true, true, null, null, null, null);
    config.setApplicationProtos([alpn]);
    config.setMaxIdleTimeout(30_000);
    config.setInitialMaxData(1e12);
    config.setInitialMaxStreamDataBidiLocal(1e6);
    config.setInitialMaxStreamDataBidiRemote(1e6);
    config.setInitialMaxStreamsBidi(100);
    config.setActiveConnectionIdLimit(8);
    config.logKeys();
    const { local, remote } = CLIENT_PATH;
    this.connection = native.Connection.connect('server.example', randomBytes(ID_BYTES), local, remote, config);
    this.connection.setKeylog(this.#keyLogFile);
  }

  get #keyLogFile(): string {
    return join(this.#folder, 'keys.log');
  }

  /** What it sends by the rules. */
  transmit(): Uint8Array[] {
    const datagrams: Uint8Array[] = [];
    for (let sent = this.connection.send(this.#buffer); sent !== null; sent = this.connection.send(this.#buffer)) {
      datagrams.push(Uint8Array.from(this.#buffer.subarray(0, sent[0])));
    }
    return datagrams;
  }

  receive(datagram: Uint8Array): void {
    this.connection.recv(Uint8Array.from(datagram), this.#info);
  }

  /** Makes 1-RTT packets in this client's name. @param destinationConnectionId defaults to the one it uses itself. */
  forge(
    destinationConnectionId: Uint8Array = this.connection.destinationId(),
    firstPacketNumber?: number,
  ): ShortPacketForge {
    return new ShortPacketForge(this.#keyLogFile, 'client', destinationConnectionId, firstPacketNumber);
  }

  /** Opens the server's 1-RTT packets. */
  reader(): ShortPacketReader {
    return new ShortPacketReader(this.#keyLogFile, 'server', ID_BYTES);
  }

  dispose(): void {
    if (existsSync(this.#folder)) rmSync(this.#folder, { recursive: true });
  }
}
