import dgram from 'node:dgram';
import { quiche } from '@matrixai/quic/native/index.js';
import { DOMAIN } from './work.ts';

/**
 * The engine in the best loop we know: datagrams taken as they come, one flush per turn of the event loop, one reused
 * buffer, synchronous sends, one lazy timer a connection; a client has one connected socket a connection.
 */

export type EngineConnection = ReturnType<typeof quiche.Connection.accept>;

const WINDOW_BYTES = 1_048_576;
const DATAGRAM_BYTES = 1_350;
const CONNECTION_ID_BYTES = 16;
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** As the engine sees them: real addresses play no part in what is measured. */
const SERVER = { host: '192.0.2.2', port: 2 };
const CLIENT = { host: '192.0.2.1', port: 1 };

type Config = InstanceType<typeof quiche.Config>;

/** What every connection of a process is made by; the server seals its tickets with it. */
export function createConfig(credential: { certificate: string; key: string } | null): Config {
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
  config.setMaxIdleTimeout(180_000);
  config.setMaxRecvUdpPayloadSize(DATAGRAM_BYTES);
  config.setMaxSendUdpPayloadSize(DATAGRAM_BYTES);
  config.setInitialMaxData(1e12);
  config.setInitialMaxStreamDataBidiLocal(WINDOW_BYTES);
  config.setInitialMaxStreamDataBidiRemote(WINDOW_BYTES);
  config.setMaxStreamWindow(WINDOW_BYTES);
  config.setInitialMaxStreamsBidi(16);
  return config;
}

/** One connection and what its owner does with it. */
export class LoopConnection {
  readonly engine: EngineConnection;
  readonly loop: EngineLoop;
  /** Called once a turn, before anything is sent. */
  onTurn: () => void = () => undefined;
  /** Where a server's datagrams go; a client's socket is connected. */
  port = 0;
  /** Under which a server's datagrams come. */
  ids: readonly string[] = [];
  isScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(engine: EngineConnection, loop: EngineLoop) {
    this.engine = engine;
    this.loop = loop;
  }

  /** A turn of this connection, before long. */
  schedule(): void {
    if (!this.isScheduled) this.loop.schedule(this);
  }

  /** Lazy: a timer that is early asks again. */
  armTimer(): void {
    const timeoutMs = this.engine.timeout();
    if (timeoutMs === null) return;
    const dueMs = performance.now() + timeoutMs;
    if (dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#dueMs = Number.POSITIVE_INFINITY;
      if (this.engine.timeout() === 0) this.engine.onTimeout();
      this.loop.flush(this);
    }, timeoutMs);
  }

  disarmTimer(): void {
    clearTimeout(this.#timer);
  }
}

/** A socket with its connections. */
export class EngineLoop {
  readonly #socket: dgram.Socket = dgram.createSocket({
    type: 'udp4',
    lookup: (name, _options, done) => done(null, name, 4),
  });
  readonly #isServer: boolean;
  /** By each connection ID under which datagrams come, of a server. */
  readonly #routes = new Map<string, LoopConnection>();
  #due: LoopConnection[] = [];
  #out = Buffer.alloc(DATAGRAM_BYTES);

  private constructor(isServer: boolean) {
    this.#isServer = isServer;
    this.#socket.on('error', () => undefined);
  }

  /** Answers the port. */
  static async listen(config: Config, onConnection: (connection: LoopConnection) => void): Promise<number> {
    const loop = new EngineLoop(true);
    loop.#socket.on('message', (datagram, { port }) => {
      const isLong = ((datagram[0] ?? 0) & 0x80) !== 0;
      const id = isLong ? idAt(datagram, 6, datagram[5] ?? 0) : idAt(datagram, 1, CONNECTION_ID_BYTES);
      let connection = loop.#routes.get(id);
      if (connection === undefined) {
        if (!isLong) return;
        connection = loop.#accept(id, port, config);
        onConnection(connection);
      }
      connection.engine.recv(datagram, { from: CLIENT, to: SERVER });
      connection.schedule();
    });
    await loop.#bind();
    return loop.#socket.address().port;
  }

  /** A client whose handshake begins with the first flush; `ticket` resumes. */
  static async connect(port: number, config: Config, ticket: Uint8Array | null): Promise<LoopConnection> {
    const loop = new EngineLoop(false);
    await loop.#bind();
    await new Promise<void>((resolve) => loop.#socket.connect(port, '127.0.0.1', resolve));
    const engine = quiche.Connection.connect(DOMAIN, randomConnectionId(), CLIENT, SERVER, config);
    if (ticket !== null) engine.setSession(ticket);
    const connection = new LoopConnection(engine, loop);
    loop.#socket.on('message', (datagram) => {
      engine.recv(datagram, { from: SERVER, to: CLIENT });
      connection.schedule();
    });
    return connection;
  }

  #accept(clientId: string, port: number, config: Config): LoopConnection {
    const serverId = randomConnectionId();
    const connection = new LoopConnection(quiche.Connection.accept(serverId, null, SERVER, CLIENT, config), this);
    connection.port = port;
    connection.ids = [clientId, idAt(Buffer.from(serverId), 0, CONNECTION_ID_BYTES)];
    for (const id of connection.ids) this.#routes.set(id, connection);
    return connection;
  }

  schedule(connection: LoopConnection): void {
    connection.isScheduled = true;
    this.#due.push(connection);
    if (this.#due.length > 1) return;
    setImmediate(() => {
      const due = this.#due;
      this.#due = [];
      for (const one of due) {
        one.isScheduled = false;
        this.flush(one);
      }
    });
  }

  flush(connection: LoopConnection): void {
    const { engine } = connection;
    connection.onTurn();
    for (let sent = engine.send(this.#out); sent !== null; sent = engine.send(this.#out)) {
      const datagram = this.#out.subarray(0, sent[0]);
      if (this.#isServer) this.#socket.send(datagram, connection.port, '127.0.0.1');
      else this.#socket.send(datagram);
      if (this.#socket.getSendQueueCount() > 0) this.#out = Buffer.alloc(DATAGRAM_BYTES);
    }
    if (engine.isClosed()) this.#drop(connection);
    else connection.armTimer();
  }

  /** Ends a client's connection, and its socket. */
  close(connection: LoopConnection): void {
    connection.engine.close(true, 0, new Uint8Array());
    this.flush(connection);
    connection.disarmTimer();
    this.#socket.close();
  }

  #drop(connection: LoopConnection): void {
    connection.disarmTimer();
    for (const id of connection.ids) this.#routes.delete(id);
  }

  #bind(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.bind(0, '127.0.0.1', () => {
        this.#socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
        this.#socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
        resolve();
      });
    });
  }
}

const randomConnectionId = (): Uint8Array => crypto.getRandomValues(new Uint8Array(CONNECTION_ID_BYTES));

const idAt = (datagram: Buffer, offset: number, bytes: number): string =>
  datagram.toString('latin1', offset, offset + bytes);
