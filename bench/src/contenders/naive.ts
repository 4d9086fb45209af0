import { Duplex } from 'node:stream';
import { Subject } from 'rxjs';
import { SaxesParser } from 'saxes';
import {
  type BenchClient,
  type BenchStream,
  type ClientSetup,
  type Contender,
  noop,
  type ServerSetup,
} from '../contender.ts';
import { createConfig, EngineLoop, type LoopConnection } from '../engine-loop.ts';
import { stanzaOf } from '../work.ts';

/**
 * What one would write in an afternoon: the same loop, a Duplex, saxes and a Subject. No stream header, no checks, no
 * limits, one stream a connection. It tells what the shape costs by itself, on the machine at hand.
 */

interface Stanza {
  readonly name: string;
  readonly attributes: object;
  readonly children: (Stanza | string)[];
}

const STREAM = 0;

class NaiveStream extends Duplex implements BenchStream {
  onDrained: () => void = noop;
  onStanza: () => void = noop;
  readonly #connection: LoopConnection;
  readonly #stanza: string;
  #waiting: { readonly bytes: Uint8Array; readonly done: () => void } | null = null;

  constructor(connection: LoopConnection, stanzaBytes: number) {
    super({ readableHighWaterMark: 1_048_576, writableHighWaterMark: 262_144 });
    this.#connection = connection;
    this.#stanza = stanzaOf(stanzaBytes);
    const stanzas = new Subject<Stanza>();
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const parser = new SaxesParser({ xmlns: true, fragment: true });
    const open: Stanza[] = [];
    parser.on('opentag', ({ name, attributes }) => {
      const element = { name, attributes, children: [] };
      open.at(-1)?.children.push(element);
      open.push(element);
    });
    parser.on('text', (text) => open.at(-1)?.children.push(text));
    parser.on('closetag', () => {
      const element = open.pop();
      if (open.length === 0 && element !== undefined) stanzas.next(element);
    });
    stanzas.subscribe(() => this.onStanza());
    this.on('data', (chunk: Buffer) => parser.write(decoder.decode(chunk, { stream: true })));
    this.on('drain', () => this.onDrained());
    connection.onTurn = () => this.#poll();
  }

  send(): boolean {
    return this.write(this.#stanza);
  }

  override _read(): void {
    // Pushed to.
  }

  override _write(bytes: Uint8Array, _encoding: string, done: () => void): void {
    const taken = this.#connection.engine.streamSend(STREAM, bytes, false) ?? 0;
    this.#connection.schedule();
    if (taken === bytes.length) done();
    else this.#waiting = { bytes: bytes.subarray(taken), done };
  }

  /** Once a turn: goes on with what waits, and reads what has come. */
  #poll(): void {
    const { engine } = this.#connection;
    if (!engine.isEstablished()) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) this._write(waiting.bytes, '', waiting.done);
    if (!engine.streamReadable(STREAM)) return;
    const input = Buffer.allocUnsafe(65_536);
    for (let read = engine.streamRecv(STREAM, input); read !== null; read = engine.streamRecv(STREAM, input)) {
      this.push(Buffer.from(input.subarray(0, read[0])));
    }
  }
}

async function listen(setup: ServerSetup, onStream: (stream: BenchStream) => void): Promise<number> {
  return EngineLoop.listen(createConfig(setup), (connection) =>
    onStream(new NaiveStream(connection, setup.stanzaBytes)),
  );
}

async function createClient({ port, stanzaBytes }: ClientSetup): Promise<BenchClient> {
  const config = createConfig(null);
  return {
    async connect() {
      const connection = await EngineLoop.connect(port, config, null);
      const { engine, loop } = connection;
      await new Promise<void>((resolve) => {
        connection.onTurn = () => {
          if (engine.isEstablished()) resolve();
        };
        loop.flush(connection);
      });
      const stream = new NaiveStream(connection, stanzaBytes);
      return {
        resumed: false,
        async openStream() {
          return stream;
        },
        async close() {
          loop.close(connection);
        },
      };
    },
  };
}

export const naive: Contender = { listen, createClient };
