import dgram from 'node:dgram';
import { quiche } from '@matrixai/quic/native/index.js';
import { DOMAIN, type Measurement, STANZA, STANZA_BYTES, type Work } from './work.ts';

/**
 * The engine alone in the best loop we know: datagrams taken as they come, one flush per turn of the event loop, one
 * reused buffer, synchronous sends, a connected client socket. Bytes are counted, nothing is parsed. It is the yardstick
 * of what the native part of the stack can do; see README.md for what it leaves out.
 */

type EngineConnection = ReturnType<typeof quiche.Connection.accept>;

const STREAM = 0;
const WINDOW_BYTES = 1_048_576;
const BATCH = 64;

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
  config.setMaxRecvUdpPayloadSize(1_350);
  config.setMaxSendUdpPayloadSize(1_350);
  config.setInitialMaxData(1e12);
  config.setInitialMaxStreamDataBidiLocal(WINDOW_BYTES);
  config.setInitialMaxStreamDataBidiRemote(WINDOW_BYTES);
  config.setMaxStreamWindow(WINDOW_BYTES);
  config.setInitialMaxStreamsBidi(16);
  return config;
}

/** Socket, flush and timer around one connection; `onTurn` reads and writes its stream. */
class Loop {
  readonly socket = dgram.createSocket({ type: 'udp4', lookup: (name, _options, done) => done(null, name, 4) });
  connection: EngineConnection | null = null;
  onTurn: (connection: EngineConnection) => void = () => undefined;
  #out = Buffer.alloc(1_350);
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #send: (datagram: Uint8Array) => void;

  constructor(send: (socket: dgram.Socket, datagram: Uint8Array) => void) {
    this.#send = (datagram) => send(this.socket, datagram);
    this.socket.on('error', () => undefined);
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve) => {
      this.socket.bind(port, '127.0.0.1', () => {
        this.socket.setRecvBufferSize(4 * 1024 * 1024);
        this.socket.setSendBufferSize(4 * 1024 * 1024);
        resolve();
      });
    });
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
      if (this.socket.getSendQueueCount() > 0) this.#out = Buffer.alloc(1_350);
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
}

const SERVER = { host: '192.0.2.2', port: 2 };
const CLIENT = { host: '192.0.2.1', port: 1 };

/** @returns the port, and what stops it. */
export async function startBareServer(
  work: Work,
  certificate: string,
  key: string,
): Promise<{ readonly port: number; stop(): void }> {
  const config = createConfig({ certificate, key });
  let remote: dgram.RemoteInfo | null = null;
  const loop = new Loop((socket, datagram) => {
    if (remote !== null) socket.send(datagram, remote.port, remote.address);
  });
  const input = Buffer.alloc(65_536);
  let received = 0;
  let done = false;
  loop.onTurn = (connection) => {
    if (!connection.streamReadable(STREAM)) return;
    for (let read = connection.streamRecv(STREAM, input); read !== null; read = connection.streamRecv(STREAM, input)) {
      received += read[0];
      if (work.task === 'echo') connection.streamSend(STREAM, input.subarray(0, read[0]), false);
    }
    if (work.task === 'one-way' && !done && received >= work.stanzas * STANZA_BYTES) {
      done = true;
      connection.streamSend(STREAM, Buffer.from('done'), false);
    }
  };
  loop.socket.on('message', (datagram, from) => {
    remote = from;
    loop.connection ??= quiche.Connection.accept(
      crypto.getRandomValues(new Uint8Array(16)),
      null,
      SERVER,
      CLIENT,
      config,
    );
    loop.connection.recv(datagram, { from: CLIENT, to: SERVER });
    loop.schedule();
  });
  await loop.listen(0);
  return { port: loop.socket.address().port, stop: () => loop.stop() };
}

export async function runBareClient(work: Work, port: number): Promise<Measurement> {
  const loop = new Loop((socket, datagram) => socket.send(datagram));
  await loop.listen(0);
  await new Promise<void>((resolve) => loop.socket.connect(port, '127.0.0.1', resolve));
  const id = crypto.getRandomValues(new Uint8Array(16));
  const connection = quiche.Connection.connect(DOMAIN, id, CLIENT, SERVER, createConfig(null));
  loop.connection = connection;
  loop.socket.on('message', (datagram) => {
    connection.recv(datagram, { from: SERVER, to: CLIENT });
    loop.schedule();
  });
  const stanza = Buffer.from(STANZA);
  const input = Buffer.alloc(65_536);
  const roundTripsMs: number[] = [];
  const measurement = await new Promise<Measurement>((resolve) => {
    let startedAt = 0;
    let sentAt = 0;
    let offset = 0;
    let sent = 0;
    let echoed = 0;
    const writeAll = (): void => {
      for (let count = 0; count < BATCH * 16 && sent < work.stanzas; count++) {
        const taken = connection.streamSend(STREAM, offset === 0 ? stanza : stanza.subarray(offset), false) ?? 0;
        offset += taken;
        if (offset < STANZA_BYTES) return;
        offset = 0;
        sent += 1;
      }
      if (sent < work.stanzas) loop.schedule();
    };
    const writeOne = (): void => {
      sentAt = performance.now();
      connection.streamSend(STREAM, stanza, false);
    };
    loop.onTurn = () => {
      if (!connection.isEstablished()) return;
      if (startedAt === 0) {
        startedAt = performance.now();
        if (work.task === 'echo') writeOne();
      }
      if (work.task === 'one-way') writeAll();
      if (!connection.streamReadable(STREAM)) return;
      for (
        let read = connection.streamRecv(STREAM, input);
        read !== null;
        read = connection.streamRecv(STREAM, input)
      ) {
        echoed += read[0];
      }
      const finished = (): void => resolve({ seconds: (performance.now() - startedAt) / 1_000, roundTripsMs });
      if (work.task === 'one-way') {
        finished();
      } else if (echoed >= STANZA_BYTES) {
        echoed -= STANZA_BYTES;
        roundTripsMs.push(performance.now() - sentAt);
        if (roundTripsMs.length === work.stanzas) finished();
        else writeOne();
      }
    };
    loop.flush();
  });
  loop.stop();
  return measurement;
}
