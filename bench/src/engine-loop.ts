import dgram from 'node:dgram';
import { quiche } from '@matrixai/quic/native/index.js';
import { DOMAIN } from './work.ts';

/**
 * The engine in the best loop we know: datagrams taken as they come, one flush per turn of the event loop, one reused
 * buffer, synchronous sends, a connected client socket. One connection, one stream, and whatever `onTurn` does with it.
 */

export type EngineConnection = ReturnType<typeof quiche.Connection.accept>;

/** The one bidirectional stream. */
export const STREAM = 0;
const WINDOW_BYTES = 1_048_576;
const DATAGRAM_BYTES = 1_350;
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
const SERVER = { host: '192.0.2.2', port: 2 };
const CLIENT = { host: '192.0.2.1', port: 1 };

function createConfig(credential: { certificate: string; key: string } | null): InstanceType<typeof quiche.Config> {
  const encode = (text: string): Uint8Array[] => [new TextEncoder().encode(text)];
  const config = quiche.Config.withBoringSslCtx(
    credential === null,
    true,
    null,
    credential === null ? null : encode(credential.key),
    credential === null ? null : encode(credential.certificate),
    null,
  );
  config.setApplicationProtos(['xmpp-client']);
  config.setMaxIdleTimeout(60_000);
  config.setMaxRecvUdpPayloadSize(DATAGRAM_BYTES);
  config.setMaxSendUdpPayloadSize(DATAGRAM_BYTES);
  config.setInitialMaxData(1e12);
  config.setInitialMaxStreamDataBidiLocal(WINDOW_BYTES);
  config.setInitialMaxStreamDataBidiRemote(WINDOW_BYTES);
  config.setMaxStreamWindow(WINDOW_BYTES);
  config.setInitialMaxStreamsBidi(16);
  return config;
}

/** Socket, flush and timer around one connection. */
export class EngineLoop {
  readonly socket: dgram.Socket = dgram.createSocket({
    type: 'udp4',
    lookup: (name, _options, done) => done(null, name, 4),
  });
  connection: EngineConnection | null = null;
  /** Called once a turn, before anything is sent. */
  onTurn: (connection: EngineConnection) => void = () => undefined;
  #out = Buffer.alloc(DATAGRAM_BYTES);
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #send: (datagram: Uint8Array) => void;

  private constructor(send: (socket: dgram.Socket, datagram: Uint8Array) => void) {
    this.#send = (datagram) => send(this.socket, datagram);
    this.socket.on('error', () => undefined);
  }

  /** A server for the one client that comes. */
  static async listen(certificate: string, key: string): Promise<EngineLoop> {
    const config = createConfig({ certificate, key });
    let remote: dgram.RemoteInfo | null = null;
    const loop = new EngineLoop((socket, datagram) => {
      if (remote !== null) socket.send(datagram, remote.port, remote.address);
    });
    loop.socket.on('message', (datagram, from) => {
      remote = from;
      const id = crypto.getRandomValues(new Uint8Array(16));
      loop.connection ??= quiche.Connection.accept(id, null, SERVER, CLIENT, config);
      loop.connection.recv(datagram, { from: CLIENT, to: SERVER });
      loop.schedule();
    });
    await loop.#bind();
    return loop;
  }

  /** A client whose handshake begins with the first flush. */
  static async connect(port: number): Promise<[EngineLoop, EngineConnection]> {
    const loop = new EngineLoop((socket, datagram) => socket.send(datagram));
    await loop.#bind();
    await new Promise<void>((resolve) => loop.socket.connect(port, '127.0.0.1', resolve));
    const id = crypto.getRandomValues(new Uint8Array(16));
    const connection = quiche.Connection.connect(DOMAIN, id, CLIENT, SERVER, createConfig(null));
    loop.connection = connection;
    loop.socket.on('message', (datagram) => {
      connection.recv(datagram, { from: SERVER, to: CLIENT });
      loop.schedule();
    });
    return [loop, connection];
  }

  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  flush(): void {
    this.#scheduled = false;
    const { connection } = this;
    if (connection === null) return;
    this.onTurn(connection);
    for (let sent = connection.send(this.#out); sent !== null; sent = connection.send(this.#out)) {
      this.#send(this.#out.subarray(0, sent[0]));
      if (this.socket.getSendQueueCount() > 0) this.#out = Buffer.alloc(DATAGRAM_BYTES);
    }
    clearTimeout(this.#timer);
    const timeout = connection.timeout();
    if (timeout === null) return;
    this.#timer = setTimeout(() => {
      connection.onTimeout();
      this.flush();
    }, timeout);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.connection = null;
    this.socket.close();
  }

  #bind(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.bind(0, '127.0.0.1', () => {
        this.socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
        this.socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
        resolve();
      });
    });
  }
}
