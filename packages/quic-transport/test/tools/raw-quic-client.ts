import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { Duplex } from 'node:stream';
import { VIRTUAL_PATH } from '../../src/endpoint/virtual-path.ts';
import { type EngineConfigOptions, type EngineConnection, EngineError } from '../../src/engine/port.ts';
import { QuicheEngine } from '../../src/engine/quiche.ts';

/** What a raw client does differently from a well-behaved one. */
export interface RawClientOptions {
  readonly port: number;
  readonly host?: string;
  readonly serverName?: string;
  readonly config?: Partial<EngineConfigOptions>;
  /** What to resume by: the `session` of another client's engine. */
  readonly session?: Uint8Array | null;
}

const CONFIG: EngineConfigOptions = {
  role: 'client',
  alpn: ['xmpp-client'],
  credential: null,
  requestPeerCertificate: true,
  idleTimeoutMs: 30_000,
  maxDatagramBytes: 1_350,
  streamWindowBytes: 262_144,
  maxStreamWindowBytes: 262_144,
  maxPeerStreams: 0,
  activeConnectionIdLimit: 8,
};

/**
 * A QUIC client below the contract, for peers that misbehave: it verifies nothing, closes when it is told to, and
 * writes whatever bytes it is given to whatever stream.
 */
export class RawQuicClient {
  readonly engine: EngineConnection;
  /** Where datagrams leave from. */
  socket: dgram.Socket;
  /** Every datagram that has left. */
  readonly sent: Buffer[] = [];
  /** Set to take datagrams away from the engine: a peer that has vanished, or a test that wants to see them. */
  onDatagram: ((datagram: Buffer) => void) | null = null;
  /** While it is set nothing leaves. */
  isSilent = false;
  readonly #sockets: dgram.Socket[] = [];
  readonly #port: number;
  readonly #host: string;
  readonly #received = new Map<number, Buffer[]>();
  readonly #ended = new Set<number>();
  readonly #resets = new Map<number, number>();
  readonly #watchers = new Set<() => void>();
  /** Streams whose reader takes no more for now. */
  readonly #held = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #scheduled = false;
  #stopped = false;

  private constructor(options: RawClientOptions, socket: dgram.Socket) {
    this.#port = options.port;
    this.#host = options.host ?? '127.0.0.1';
    this.socket = socket;
    const engine = new QuicheEngine();
    this.engine = engine.connect(engine.createConfig({ ...CONFIG, ...options.config }), {
      serverName: options.serverName ?? 'capulet.example',
      sourceConnectionId: randomBytes(16),
      path: VIRTUAL_PATH,
      session: options.session ?? null,
    });
    this.#listenOn(socket);
  }

  /** Hands a datagram to the engine, and sends what it answers. */
  receive(datagram: Buffer): void {
    try {
      this.engine.receive(datagram, VIRTUAL_PATH);
    } catch {
      // The engine closes by itself; its errors are read from it.
    }
    this.flush();
  }

  #listenOn(socket: dgram.Socket): void {
    socket.on('message', (datagram) => {
      if (this.onDatagram === null) this.receive(datagram);
      else this.onDatagram(datagram);
    });
    socket.on('error', () => undefined);
    this.#sockets.push(socket);
  }

  /**
   * From now on datagrams leave from another address, as after a NAT rebinding or with a spoofed source.
   * @param heard whether what is sent there is taken; the socket is given so that it can be counted.
   */
  async moveTo(host: string, heard = true): Promise<dgram.Socket> {
    const socket = dgram.createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, host, resolve));
    if (heard) this.#listenOn(socket);
    else this.#sockets.push(socket);
    this.socket = socket;
    return socket;
  }

  /** A client whose first flight has left; await {@link established} or {@link ended} next. */
  static async start(options: RawClientOptions): Promise<RawQuicClient> {
    const ipv6 = (options.host ?? '').includes(':');
    const socket = dgram.createSocket(ipv6 ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => socket.bind(0, ipv6 ? '::1' : '127.0.0.1', resolve));
    socket.setRecvBufferSize(4 * 1024 * 1024);
    const client = new RawQuicClient(options, socket);
    client.flush();
    return client;
  }

  /** As {@link start}, and the handshake is complete. */
  static async connect(options: RawClientOptions): Promise<RawQuicClient> {
    const client = await RawQuicClient.start(options);
    await client.until(() => client.engine.established || client.engine.draining || client.engine.closed);
    if (!client.engine.established || client.engine.draining) {
      throw new Error(`not connected: ${JSON.stringify(client.engine.peerError)}`);
    }
    return client;
  }

  /** Sends what the engine has, and sets its timer. */
  flush(): void {
    if (this.#stopped) return;
    this.#read();
    if (!this.isSilent) {
      for (const datagram of this.datagrams()) this.send(datagram);
    }
    clearTimeout(this.#timer);
    const { deadlineMs } = this.engine;
    if (deadlineMs !== null) {
      this.#timer = setTimeout(() => {
        this.engine.onDeadline();
        this.flush();
      }, deadlineMs);
    }
    for (const watcher of this.#watchers) watcher();
  }

  /** What the engine would send now. */
  datagrams(): Buffer[] {
    const datagrams: Buffer[] = [];
    const buffer = Buffer.alloc(2_048);
    for (let bytes = this.engine.transmit(buffer); bytes > 0; bytes = this.engine.transmit(buffer)) {
      datagrams.push(Buffer.from(buffer.subarray(0, bytes)));
    }
    return datagrams;
  }

  /** Sends these very bytes. @param socket to send them from, where that is another one. */
  send(datagram: Uint8Array, socket: dgram.Socket = this.socket): void {
    this.sent.push(Buffer.from(datagram));
    socket.send(datagram, this.#port, this.#host);
  }

  /** From now on nothing leaves and nothing is heard: the peer has vanished. */
  vanish(): void {
    this.isSilent = true;
    this.onDatagram = () => undefined;
  }

  /** Resolves when `condition` holds; it is looked at after everything that happens. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  write(streamId: number, text: string, fin = false): void {
    this.engine.write(streamId, Buffer.from(text), fin);
    this.flush();
  }

  /** All that has come on a stream. */
  text(streamId: number): string {
    return Buffer.concat(this.#received.get(streamId) ?? []).toString();
  }

  hasEnded(streamId: number): boolean {
    return this.#ended.has(streamId);
  }

  /** Application code of the RESET_STREAM that came. */
  resetCode(streamId: number): number | undefined {
    return this.#resets.get(streamId);
  }

  /** One bidirectional stream as a Duplex. */
  duplex(streamId: number): Duplex {
    let seen = 0;
    let waiting: { bytes: Uint8Array; done: () => void } | null = null;
    const pump = (): void => {
      const chunks = this.#received.get(streamId) ?? [];
      while (seen < chunks.length) if (!duplex.push(chunks[seen++])) this.#held.add(streamId);
      if (this.hasEnded(streamId) && !duplex.readableEnded) duplex.push(null);
      if (waiting === null) return;
      const { bytes, done } = waiting;
      const taken = this.engine.write(streamId, bytes, false);
      if (taken > 0) this.#flushSoon();
      waiting = taken === bytes.length ? null : { bytes: bytes.subarray(taken), done };
      if (waiting === null) done();
    };
    const duplex = new Duplex({
      read: () => {
        if (!this.#held.delete(streamId)) return;
        this.#read();
        pump();
        this.#flushSoon();
      },
      write: (bytes: Uint8Array, _encoding, done) => {
        waiting = { bytes, done };
        pump();
      },
      final: (done) => {
        this.engine.write(streamId, new Uint8Array(0), true);
        this.#flushSoon();
        done();
      },
      destroy: (error, done) => {
        this.#watchers.delete(pump);
        if (!this.#stopped) {
          if (!duplex.writableFinished) this.engine.resetWriting(streamId, 1);
          if (!duplex.readableEnded) this.engine.stopReading(streamId, 1);
          this.#flushSoon();
        }
        done(error);
      },
    });
    this.#watchers.add(pump);
    return duplex;
  }

  /** Leaves without a word. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  }

  #flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  #read(): void {
    if (!this.engine.hasReadable) return;
    for (const streamId of [...this.engine.readableStreams()]) {
      if (this.#held.has(streamId)) continue;
      const buffer = Buffer.alloc(65_536);
      try {
        for (let read = this.engine.read(streamId, buffer); read !== null; read = this.engine.read(streamId, buffer)) {
          const chunks = this.#received.get(streamId) ?? [];
          chunks.push(Buffer.from(buffer.subarray(0, read[0])));
          this.#received.set(streamId, chunks);
          if (read[1]) {
            this.#ended.add(streamId);
            break;
          }
        }
      } catch (thrown) {
        this.#ended.add(streamId);
        if (thrown instanceof EngineError && thrown.code !== null) this.#resets.set(streamId, thrown.code);
      }
    }
  }
}
