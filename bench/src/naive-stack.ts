import { Duplex } from 'node:stream';
import { Subject } from 'rxjs';
import { SaxesParser } from 'saxes';
import { type EngineConnection, EngineLoop, STREAM } from './engine-loop.ts';
import { type Measurement, STANZA, type Work } from './work.ts';

/**
 * What one would write in an afternoon: the same loop, a Duplex, saxes and a Subject. No stream header, no checks, no
 * limits, no backpressure. It tells what the shape costs by itself, on the machine at hand.
 */

interface Stanza {
  readonly name: string;
  readonly attributes: object;
  readonly children: (Stanza | string)[];
}

const WRITES_A_TURN = 1_024;

class NaiveStream extends Duplex {
  readonly stanzas = new Subject<Stanza>();
  readonly #connection: () => EngineConnection | null;
  #waiting: { readonly bytes: Uint8Array; readonly done: () => void } | null = null;

  constructor(connection: () => EngineConnection | null) {
    super({ readableHighWaterMark: 1_048_576, writableHighWaterMark: 262_144 });
    this.#connection = connection;
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
      if (open.length === 0 && element !== undefined) this.stanzas.next(element);
    });
    this.on('data', (chunk: Buffer) => parser.write(decoder.decode(chunk, { stream: true })));
  }

  override _read(): void {
    // Pushed to.
  }

  override _write(bytes: Uint8Array, _encoding: string, done: () => void): void {
    const taken = this.#connection()?.streamSend(STREAM, bytes, false) ?? 0;
    if (taken === bytes.length) done();
    else this.#waiting = { bytes: bytes.subarray(taken), done };
  }

  /** Once a turn: goes on with what waits, and reads what has come. */
  poll(connection: EngineConnection): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) this._write(waiting.bytes, '', waiting.done);
    if (!connection.streamReadable(STREAM)) return;
    const input = Buffer.allocUnsafe(65_536);
    for (let read = connection.streamRecv(STREAM, input); read !== null; read = connection.streamRecv(STREAM, input)) {
      this.push(Buffer.from(input.subarray(0, read[0])));
    }
  }
}

export async function startNaiveServer(work: Work, certificate: string, key: string): Promise<number> {
  const loop = await EngineLoop.listen(certificate, key);
  const stream = new NaiveStream(() => loop.connection);
  let received = 0;
  stream.stanzas.subscribe(() => {
    received += 1;
    if (work.task === 'echo' || received === work.stanzas) stream.write(STANZA);
  });
  loop.onTurn = (connection) => stream.poll(connection);
  return loop.socket.address().port;
}

export async function runNaiveClient(work: Work, port: number): Promise<Measurement> {
  const [loop, connection] = await EngineLoop.connect(port);
  const stream = new NaiveStream(() => loop.connection);
  const roundTripsMs: number[] = [];
  let startedAt = 0;
  let sentAt = 0;
  let sent = 0;
  const writeOne = (): void => {
    sentAt = performance.now();
    stream.write(STANZA);
  };
  const writeAll = (): void => {
    for (let count = 0; count < WRITES_A_TURN && sent < work.stanzas && !stream.writableNeedDrain; count++) {
      sent += 1;
      stream.write(STANZA);
    }
    if (sent < work.stanzas && !stream.writableNeedDrain) loop.schedule();
  };
  const seconds = await new Promise<number>((resolve) => {
    const finished = (): void => resolve((performance.now() - startedAt) / 1_000);
    stream.stanzas.subscribe(() => {
      if (work.task === 'echo') roundTripsMs.push(performance.now() - sentAt);
      if (work.task === 'echo' && roundTripsMs.length < work.stanzas) writeOne();
      else finished();
    });
    loop.onTurn = () => {
      if (!connection.isEstablished()) return;
      if (startedAt === 0) {
        startedAt = performance.now();
        if (work.task === 'echo') writeOne();
      }
      stream.poll(connection);
      if (work.task === 'one-way') writeAll();
    };
    loop.flush();
  });
  loop.stop();
  return { seconds, roundTripsMs };
}
