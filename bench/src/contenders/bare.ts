import {
  type BenchClient,
  type BenchConnection,
  type BenchStream,
  type ClientSetup,
  type Contender,
  noop,
  type ServerSetup,
  StanzaCounter,
} from '../contender.ts';
import { createConfig, type EngineConnection, EngineLoop, type LoopConnection } from '../engine-loop.ts';
import { stanzaOf } from '../work.ts';

/** The engine alone: one write a stanza, bytes are counted, nothing is parsed. The yardstick of the native part. */

/** Stanzas written to one stream in one turn of the event loop, at most. */
const WRITES_A_TURN = 1_024;
/** RFC 9000 §2.1: client-initiated bidirectional streams are 0, 4, 8 … */
const ID_STEP = 4;
const INPUT = Buffer.alloc(65_536);

class BareStream implements BenchStream {
  onDrained: () => void = noop;
  onStanza: () => void = noop;
  readonly #connection: LoopConnection;
  readonly #engine: EngineConnection;
  readonly #id: number;
  readonly #stanza: Buffer;
  readonly #counter: StanzaCounter;
  /** What the engine has not taken: the rest of a stanza, and whole ones. */
  #rest: Buffer | null = null;
  #owed = 0;
  #writes = 0;
  #mustTell = false;

  constructor(connection: LoopConnection, id: number, stanza: Buffer) {
    this.#connection = connection;
    this.#engine = connection.engine;
    this.#id = id;
    this.#stanza = stanza;
    this.#counter = new StanzaCounter(stanza.length);
  }

  send(): boolean {
    if (this.#rest !== null) {
      this.#owed += 1;
      return false;
    }
    this.#write(this.#stanza);
    this.#connection.schedule();
    this.#writes += 1;
    if (this.#rest === null && this.#writes < WRITES_A_TURN) return true;
    this.#mustTell = true;
    return false;
  }

  /** Once a turn: reads what has come, goes on with what waits. */
  poll(): void {
    this.#writes = 0;
    const [engine, id] = [this.#engine, this.#id];
    while (this.#rest !== null && this.#write(this.#rest)) {
      if (this.#owed === 0) break;
      this.#owed -= 1;
      this.#rest = this.#stanza;
    }
    if (engine.isReadable() && engine.streamReadable(id)) {
      for (let read = engine.streamRecv(id, INPUT); read !== null; read = engine.streamRecv(id, INPUT)) {
        this.#counter.take(read[0], this);
      }
    }
    if (!this.#mustTell || this.#rest !== null) return;
    this.#mustTell = false;
    this.onDrained();
  }

  /** Whether the engine took all. */
  #write(bytes: Buffer): boolean {
    const taken = this.#engine.streamSend(this.#id, bytes, false) ?? 0;
    this.#rest = taken === bytes.length ? null : bytes.subarray(taken);
    return this.#rest === null;
  }
}

function pollingAll(connection: LoopConnection, streams: readonly BareStream[]): () => void {
  return () => {
    if (!connection.engine.isEstablished()) return;
    for (const stream of streams) stream.poll();
  };
}

async function listen(setup: ServerSetup, onStream: (stream: BenchStream) => void): Promise<number> {
  const stanza = Buffer.from(stanzaOf(setup.stanzaBytes));
  return EngineLoop.listen(createConfig(setup), (connection) => {
    const streams = Array.from(
      { length: setup.streams },
      (_, index) => new BareStream(connection, ID_STEP * index, stanza),
    );
    connection.onTurn = pollingAll(connection, streams);
    for (const stream of streams) onStream(stream);
  });
}

async function createClient({ port, stanzaBytes, resume }: ClientSetup): Promise<BenchClient> {
  const config = createConfig(null);
  const stanza = Buffer.from(stanzaOf(stanzaBytes));
  let ticket: Uint8Array | null = null;
  return {
    async connect(): Promise<BenchConnection> {
      const connection = await EngineLoop.connect(port, config, resume ? ticket : null);
      const { engine, loop } = connection;
      const streams: BareStream[] = [];
      await new Promise<void>((resolve) => {
        connection.onTurn = () => {
          if (!engine.isEstablished()) return;
          // The server's tickets come right behind its handshake.
          if (resume && ticket === null && engine.session() === null) return;
          ticket ??= engine.session();
          connection.onTurn = pollingAll(connection, streams);
          resolve();
        };
        loop.flush(connection);
      });
      return {
        resumed: engine.isResumed(),
        async openStream() {
          const stream = new BareStream(connection, ID_STEP * streams.length, stanza);
          streams.push(stream);
          return stream;
        },
        async close() {
          loop.close(connection);
        },
      };
    },
  };
}

export const bare: Contender = { listen, createClient };
