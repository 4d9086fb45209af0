import assert from 'node:assert/strict';
import type { Engine, EngineConnection } from '../../../src/engine/port.ts';
import { casesWith, type EngineCase } from '../engine-case.ts';
import { connectedPair, failureOf, type Pair, readAll } from '../harness.ts';

const X = Buffer.from('x');
const NOTHING = Buffer.alloc(0);

/** Ways one side may end its half, given the stream; some end both. */
type Ending = (own: EngineConnection, streamId: number) => void;

const ENDINGS: Readonly<Record<string, Ending>> = {
  fin: (own, id) => void failureOf(() => own.write(id, NOTHING, true)),
  reset: (own, id) => own.resetWriting(id, 1),
  'stop and fin': (own, id) => {
    own.stopReading(id, 2);
    failureOf(() => own.write(id, NOTHING, true));
  },
  'stop and reset': (own, id) => {
    own.stopReading(id, 2);
    own.resetWriting(id, 2);
  },
};

/** Reads a stream until it has told its end, and not again: nobody reads on after that. */
class Reader {
  readonly #connection: EngineConnection;
  readonly #streamId: number;
  #ended = false;

  constructor(connection: EngineConnection, streamId: number) {
    this.#connection = connection;
    this.#streamId = streamId;
  }

  read(): void {
    if (!this.#ended) this.#ended = readAll(this.#connection, this.#streamId).end !== 'open';
  }
}

/** One stream from its first byte until both sides have read its end. */
function liveAndEnd(pair: Pair, id: number, client: Ending, server: Ending, order: string): void {
  const clientReader = new Reader(pair.client, id);
  const serverReader = new Reader(pair.server, id);
  const exchange = (): void => {
    pair.pump();
    clientReader.read();
    serverReader.read();
    pair.pump();
  };
  pair.client.write(id, X, false);
  exchange();
  if (order !== 'server first') client(pair.client, id);
  if (order === 'client first') exchange();
  server(pair.server, id);
  if (order === 'server first') {
    exchange();
    client(pair.client, id);
  }
  exchange();
  // An answer to stop, as a writer gives it when it learns of it.
  failureOf(() => pair.server.write(id, NOTHING, true));
  failureOf(() => pair.client.write(id, NOTHING, true));
  exchange();
}

/** Streams: bytes, ends, and the right to open more. */
export const streamCases = (create: () => Engine): EngineCase[] =>
  casesWith(create, [
    [
      'Q-17',
      'bytes go both ways on streams of either side, each for itself',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { client, server } = pair;
        for (const [sender, receiver, id] of [
          [client, server, 0],
          [client, server, 4],
          [server, client, 1],
          [server, client, 5],
        ] as const) {
          assert.equal(sender.write(id, Buffer.from(`to ${id}`), false), 4);
          pair.pump();
          assert.deepEqual([...receiver.readableStreams()], [id]);
          assert.equal(receiver.hasReadable, true);
          assert.equal(receiver.isReadable(id), true);
          assert.deepEqual(readAll(receiver, id), { bytes: Buffer.from(`to ${id}`), end: 'open' });
          assert.equal(receiver.isReadable(id), false);
          assert.equal(receiver.write(id, Buffer.from(`back ${id}`), true), 6);
          pair.pump();
          assert.deepEqual(readAll(sender, id), { bytes: Buffer.from(`back ${id}`), end: 'fin' });
        }
        assert.equal(server.hasReadable, false);
      },
    ],
    [
      'QT-12',
      'FIN comes with the last bytes, alone, and once',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { client, server } = pair;
        client.write(0, X, true);
        client.write(4, X, false);
        assert.equal(client.write(4, NOTHING, true), 1);
        assert.equal(client.write(8, NOTHING, true), 1);
        pair.pump();
        assert.deepEqual(
          [0, 4, 8].map((id) => readAll(server, id)),
          [
            { bytes: X, end: 'fin' },
            { bytes: X, end: 'fin' },
            { bytes: NOTHING, end: 'fin' },
          ],
        );
        assert.equal(failureOf(() => client.write(0, X, false)).failure, 'stream-finished');
        assert.equal(server.isReadable(0), false);
      },
    ],
    [
      'QT-12',
      'FIN is not taken where not all bytes were',
      async (engine) => {
        const pair = await connectedPair(engine, { server: { streamWindowBytes: 1000, maxStreamWindowBytes: 1000 } });
        assert.equal(pair.client.write(0, Buffer.alloc(1500), true), 1000);
        pair.pump();
        assert.deepEqual(readAll(pair.server, 0), { bytes: Buffer.alloc(1000), end: 'open' });
        pair.pump();
        assert.equal(pair.client.write(0, Buffer.alloc(500), true), 500);
        pair.pump();
        assert.deepEqual(readAll(pair.server, 0), { bytes: Buffer.alloc(500), end: 'fin' });
      },
    ],
    [
      'QT-13',
      'a reset is told with its code; other streams live',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { client, server } = pair;
        for (const [id, code] of [
          [0, 0x1234],
          [4, 0],
          [8, Number.MAX_SAFE_INTEGER],
        ] as const) {
          client.write(id, X, false);
          pair.pump();
          client.resetWriting(id, code);
          pair.pump();
          assert.equal(server.isReadable(id), true);
          assert.ok([...server.readableStreams()].includes(id));
          assert.deepEqual(
            failureOf(() => server.read(id, Buffer.alloc(9))),
            { failure: 'stream-reset', code },
          );
          assert.equal(failureOf(() => client.write(id, X, false)).failure, 'stream-finished');
          assert.equal(server.write(id, X, true), 1);
        }
        client.write(12, X, true);
        pair.pump();
        assert.deepEqual(readAll(server, 12), { bytes: X, end: 'fin' });
        assert.deepEqual(readAll(client, 0), { bytes: X, end: 'fin' });
      },
    ],
    [
      'QT-13',
      'a stop is told with its code to the writer, who can still read',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { client, server } = pair;
        client.write(0, X, false);
        pair.pump();
        readAll(server, 0);
        server.stopReading(0, 0x77);
        pair.pump();
        assert.ok([...client.writableStreams()].includes(0));
        assert.deepEqual(
          failureOf(() => client.write(0, X, false)),
          { failure: 'stream-stopped', code: 0x77 },
        );
        assert.deepEqual(
          failureOf(() => client.capacity(0)),
          { failure: 'stream-stopped', code: 0x77 },
        );
        server.write(0, X, true);
        pair.pump();
        assert.deepEqual(readAll(client, 0), { bytes: X, end: 'fin' });
      },
    ],
    [
      'QT-14',
      'codes that no packet can hold are brought into range',
      async (engine) => {
        for (const code of [-1, Number.NaN, 2 ** 62, 1e300, Number.NEGATIVE_INFINITY]) {
          const pair = await connectedPair(engine);
          pair.client.write(0, X, false);
          pair.client.write(4, X, false);
          pair.pump();
          pair.client.resetWriting(0, code);
          pair.server.stopReading(4, code);
          pair.pump();
          assert.equal(failureOf(() => pair.server.read(0, Buffer.alloc(9))).failure, 'stream-reset');
          assert.equal(failureOf(() => pair.client.write(4, X, false)).failure, 'stream-stopped');
        }
      },
    ],
    [
      'QT-11',
      'streams that are unknown, or forgotten, are told as such; ending them does nothing',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { client, server } = pair;
        liveAndEnd(pair, 0, ENDINGS.fin as Ending, ENDINGS.fin as Ending, 'client first');
        for (const [connection, id] of [
          [client, 0],
          [server, 0],
          [server, 4],
        ] as const) {
          assert.equal(failureOf(() => connection.write(id, X, false)).failure, 'stream-unknown');
          assert.equal(failureOf(() => connection.write(id, NOTHING, true)).failure, 'stream-unknown');
          assert.equal(failureOf(() => connection.read(id, Buffer.alloc(9))).failure, 'stream-unknown');
          assert.equal(failureOf(() => connection.capacity(id)).failure, 'stream-unknown');
          assert.equal(connection.isReadable(id), false);
          connection.stopReading(id, 1);
          connection.resetWriting(id, 1);
        }
        pair.pump();
        assert.deepEqual(pair.failures, { client: [], server: [] });
      },
    ],
    [
      'QT-11',
      'the peer grants a number of streams, and no more',
      async (engine) => {
        const pair = await connectedPair(engine, { client: { maxPeerStreams: 0 }, server: { maxPeerStreams: 3 } });
        const { client, server } = pair;
        assert.deepEqual([client.peerStreamsLeft, server.peerStreamsLeft], [3, 0]);
        for (const id of [0, 4, 8]) assert.equal(client.write(id, X, false), 1);
        assert.equal(client.peerStreamsLeft, 0);
        assert.equal(failureOf(() => client.write(12, X, false)).failure, 'stream-limit');
        assert.equal(failureOf(() => server.write(1, X, false)).failure, 'stream-limit');
        pair.pump();
        assert.deepEqual([...server.readableStreams()].sort(), [0, 4, 8]);
      },
    ],
    [
      'Q-16',
      'unidirectional streams are granted to nobody',
      async (engine) => {
        const { client, server } = await connectedPair(engine);
        assert.equal(failureOf(() => client.write(2, X, false)).failure, 'stream-limit');
        assert.equal(failureOf(() => server.write(3, X, false)).failure, 'stream-limit');
      },
    ],
    [
      'QT-11',
      'limit 4: 1000 streams one after the other',
      async (engine) => {
        const pair = await connectedPair(engine, { server: { maxPeerStreams: 4 } });
        const fin = ENDINGS.fin as Ending;
        for (let index = 0; index < 1000; index++) liveAndEnd(pair, 4 * index, fin, fin, 'client first');
        assert.equal(pair.client.peerStreamsLeft, 4);
      },
    ],
    ...Object.entries(ENDINGS).flatMap(([clientEnding, client]) =>
      Object.entries(ENDINGS).flatMap(([serverEnding, server]) =>
        ['client first', 'server first', 'together'].map(
          (order) =>
            [
              'QT-11',
              `streams come back when the client ends with ${clientEnding}, the server with ${serverEnding}, ${order}`,
              async (engine: Engine) => {
                const pair = await connectedPair(engine, { server: { maxPeerStreams: 4 } });
                for (let index = 0; index < 20; index++) {
                  liveAndEnd(pair, 4 * index, client, server, order);
                }
                assert.equal(pair.client.peerStreamsLeft, 4);
              },
            ] as const,
        ),
      ),
    ),
  ]);
