import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { quiche } from '@matrixai/quic/native/index.js';

type Address = { readonly host: string; readonly port: number };

/**
 * A client of another make: the bare engine with real paths of its own, which probes a new path by PATH_CHALLENGE, waits for the
 * answer and only then migrates (RFC 9000 §9.1, §9.2). Our own client never does so.
 */
export class PathProber {
  readonly connection: ReturnType<typeof quiche.Connection.connect>;
  readonly #server: Address;
  readonly #sockets = new Map<number, dgram.Socket>();
  readonly #watchers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(server: Address, local: Address, serverName: string) {
    this.#server = server;
    const config = quiche.Config.withBoringSslCtx(true, true, null, null, null, null);
    config.setApplicationProtos(['xmpp-client']);
    config.setInitialMaxData(1e9);
    config.setInitialMaxStreamDataBidiLocal(1e6);
    config.setActiveConnectionIdLimit(8);
    this.connection = quiche.Connection.connect(serverName, randomBytes(16), local, server, config);
  }

  static async connect(port: number, serverName: string): Promise<PathProber> {
    const socket = await bind();
    const server = { host: '127.0.0.1', port };
    const prober = new PathProber(server, socket.address, serverName);
    prober.#listenOn(socket.socket);
    prober.flush();
    await prober.until(() => prober.connection.isEstablished());
    return prober;
  }

  /** Probes a path from a new port, migrates to it when it is validated, and gives the port. */
  async migrate(): Promise<number> {
    const { socket, address } = await bind();
    this.#listenOn(socket);
    await this.until(() => this.connection.availableDcids() > 0);
    this.connection.probePath(address, this.#server);
    this.flush();
    await this.until(() => this.connection.isPathValidated(address, this.#server));
    this.connection.migrate(address, this.#server);
    this.flush();
    return address.port;
  }

  write(text: string): void {
    this.connection.streamSend(0, Buffer.from(text), false);
    this.flush();
  }

  flush(): void {
    const { connection } = this;
    // An engine with paths of its own needs a spare ID on this side, too.
    while (connection.isEstablished() && connection.sourceCidsLeft() > 0) {
      connection.newSourceCid(randomBytes(16), BigInt(`0x${randomBytes(16).toString('hex')}`), false);
    }
    const buffer = Buffer.alloc(1_350);
    for (let sent = connection.send(buffer); sent !== null; sent = connection.send(buffer)) {
      const [length, { from }] = sent;
      this.#sockets.get(from.port)?.send(Buffer.from(buffer.subarray(0, length)), this.#server.port, this.#server.host);
    }
    clearTimeout(this.#timer);
    const timeout = connection.timeout();
    if (timeout !== null) {
      this.#timer = setTimeout(() => {
        connection.onTimeout();
        this.flush();
      }, timeout);
    }
    for (const watcher of [...this.#watchers]) watcher();
  }

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

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    const closed = [...this.#sockets.values()].map((socket) => new Promise<void>((done) => socket.close(() => done())));
    await Promise.all(closed);
  }

  #listenOn(socket: dgram.Socket): void {
    const { address: host, port } = socket.address();
    this.#sockets.set(port, socket);
    socket.on('message', (datagram) => {
      this.connection.recv(datagram, { from: this.#server, to: { host, port } });
      this.flush();
    });
  }
}

async function bind(): Promise<{ readonly socket: dgram.Socket; readonly address: Address }> {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { address: host, port } = socket.address();
  return { socket, address: { host, port } };
}
