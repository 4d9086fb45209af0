import { randomBytes } from 'node:crypto';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Engine,
  type EngineAccept,
  type EngineConfigOptions,
  type EngineConnect,
  type EngineConnection,
  EngineError,
  type EngineFailure,
  type EnginePath,
} from '../../src/engine/port.ts';
import { testCredentials } from './credentials.ts';

/** Connection IDs of the tests have this many bytes. */
export const ID_BYTES = 16;

/** The client's path, and the same seen from the server. Documentation addresses: nothing is ever sent. */
export const CLIENT_PATH: EnginePath = {
  local: { host: '192.0.2.1', port: 1111 },
  remote: { host: '192.0.2.2', port: 443 },
};
export const SERVER_PATH: EnginePath = { local: CLIENT_PATH.remote, remote: CLIENT_PATH.local };

const OPTIONS: Omit<EngineConfigOptions, 'role'> = {
  alpn: ['xmpp-client'],
  credential: null,
  requestPeerCertificate: false,
  idleTimeoutMs: 30_000,
  maxDatagramBytes: 1350,
  streamWindowBytes: 65_536,
  maxStreamWindowBytes: 1_048_576,
  maxPeerStreams: 10,
  activeConnectionIdLimit: 4,
};

/** Complete client options. */
export function clientOptions(changes: Partial<EngineConfigOptions> = {}): EngineConfigOptions {
  return { ...OPTIONS, role: 'client', ...changes };
}

/** Complete server options, with a credential for `server.example`. */
export async function serverOptions(changes: Partial<EngineConfigOptions> = {}): Promise<EngineConfigOptions> {
  return { ...OPTIONS, role: 'server', credential: (await testCredentials()).server, ...changes };
}

export function connectOptions(changes: Partial<EngineConnect> = {}): EngineConnect {
  return { serverName: 'server.example', sourceConnectionId: randomBytes(ID_BYTES), path: CLIENT_PATH, ...changes };
}

export function acceptOptions(changes: Partial<EngineAccept> = {}): EngineAccept {
  return {
    sourceConnectionId: randomBytes(ID_BYTES),
    originalDestinationConnectionId: null,
    path: SERVER_PATH,
    resetToken: randomBytes(16),
    ...changes,
  };
}

const BUFFER = Buffer.alloc(65_536);

/** All that a connection wants to send now. */
export function transmitAll(connection: EngineConnection): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  for (let length = connection.transmit(BUFFER); length > 0; length = connection.transmit(BUFFER)) {
    datagrams.push(Uint8Array.from(BUFFER.subarray(0, length)));
  }
  return datagrams;
}

/** What becomes of the datagrams one side sent in one go: a lossy network gives back fewer, or others. */
export type Network = (datagrams: Uint8Array[], from: 'client' | 'server') => Uint8Array[];

const PERFECT: Network = (datagrams) => datagrams;

/** Two connections of the engine and the network between them. */
export class Pair {
  readonly client: EngineConnection;
  readonly server: EngineConnection;
  network: Network = PERFECT;
  /** What `receive` of each side has thrown. */
  readonly failures = { client: [] as EngineError[], server: [] as EngineError[] };

  constructor(client: EngineConnection, server: EngineConnection) {
    this.client = client;
    this.server = server;
  }

  /** Carries datagrams to and fro until neither side has any. @returns whether either had one. */
  pump(): boolean {
    for (let rounds = 0; ; rounds++) {
      const sent = transmitAll(this.client);
      for (const datagram of this.network(sent, 'client')) this.#receive('server', datagram);
      const answered = transmitAll(this.server);
      for (const datagram of this.network(answered, 'server')) this.#receive('client', datagram);
      if (sent.length + answered.length === 0) return rounds > 0;
    }
  }

  /** Pumps, and waits for the deadlines of both sides, until `done`, which may read and write. */
  async until(done: () => boolean): Promise<void> {
    for (;;) {
      this.pump();
      if (done()) return;
      const moved = this.pump();
      // A turn of the event loop, so that a test that never ends can at least time out.
      await nextTurn();
      if (moved) continue;
      const deadlines = [this.client.deadlineMs, this.server.deadlineMs].filter((deadline) => deadline !== null);
      if (deadlines.length === 0) throw new Error('neither side has a deadline: this will never come true');
      await delay(Math.min(...deadlines) + 1);
      this.client.onDeadline();
      this.server.onDeadline();
    }
  }

  #receive(side: 'client' | 'server', datagram: Uint8Array): void {
    try {
      this[side].receive(datagram, side === 'client' ? CLIENT_PATH : SERVER_PATH);
    } catch (thrown) {
      if (!(thrown instanceof EngineError)) throw thrown;
      this.failures[side].push(thrown);
    }
  }
}

/** What a pair is made with, where the defaults do not do. */
export interface PairOptions {
  readonly client?: Partial<EngineConfigOptions>;
  readonly server?: Partial<EngineConfigOptions>;
  readonly accept?: Partial<EngineAccept>;
  readonly connect?: Partial<EngineConnect>;
}

/** Two connections that have not exchanged anything. */
export async function createPair(engine: Engine, options: PairOptions = {}): Promise<Pair> {
  const clientConfig = engine.createConfig(clientOptions(options.client));
  const serverConfig = engine.createConfig(await serverOptions(options.server));
  const client = engine.connect(clientConfig, connectOptions(options.connect));
  return new Pair(client, engine.accept(serverConfig, acceptOptions(options.accept)));
}

/** Two connections after the handshake. */
export async function connectedPair(engine: Engine, options: PairOptions = {}): Promise<Pair> {
  const pair = await createPair(engine, options);
  pair.pump();
  if (!pair.client.established || !pair.server.established) throw new Error('the handshake did not complete');
  return pair;
}

/** How a read ended: with FIN, with a failure, or with nothing more to read now. */
export type ReadEnd = 'fin' | 'open' | EngineFailure;

/** Reads all there is. */
export function readAll(connection: EngineConnection, streamId: number): { bytes: Buffer; end: ReadEnd } {
  const chunks: Buffer[] = [];
  const finished = (end: ReadEnd) => ({ bytes: Buffer.concat(chunks), end });
  for (;;) {
    const failure = failureOf(() => {
      const result = connection.read(streamId, BUFFER);
      if (result === null) return 'open';
      chunks.push(Buffer.from(BUFFER.subarray(0, result[0])));
      return result[1] ? 'fin' : null;
    });
    if (typeof failure.failure === 'string') return finished(failure.failure);
    if (failure.value !== null && failure.value !== undefined) return finished(failure.value);
  }
}

/** Runs `call` and tells how it failed, if it did. Anything but an EngineError is thrown on. */
export function failureOf<T>(call: () => T): { value?: T; failure?: EngineFailure; code?: number | null } {
  try {
    return { value: call() };
  } catch (thrown) {
    if (!(thrown instanceof EngineError)) throw thrown;
    return { failure: thrown.failure, code: thrown.code };
  }
}
