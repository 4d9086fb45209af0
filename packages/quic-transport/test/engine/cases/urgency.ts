import assert from 'node:assert/strict';
import type { Engine } from '../../../src/engine/port.ts';
import { casesWith, type EngineCase } from '../engine-case.ts';
import { CLIENT_PATH, connectedPair, failureOf, type Pair, readAll, SERVER_PATH, transmitAll } from '../harness.ts';

const PIECE = Buffer.alloc(3_000, 'x');
const STREAMS = [0, 4, 8];

/** The streams of `from`, in the order in which the last byte of their piece arrives at the other side. */
function orderOfCompletion(pair: Pair, from: 'client' | 'server'): readonly number[] {
  const [receiver, path] = from === 'client' ? [pair.server, SERVER_PATH] : [pair.client, CLIENT_PATH];
  const received = new Map(STREAMS.map((streamId) => [streamId, 0]));
  const order: number[] = [];
  for (const datagram of transmitAll(pair[from])) {
    receiver.receive(datagram, path);
    for (const streamId of STREAMS) {
      if (!receiver.isReadable(streamId)) continue;
      const bytes = (received.get(streamId) ?? 0) + readAll(receiver, streamId).bytes.length;
      received.set(streamId, bytes);
      if (bytes === PIECE.length) order.push(streamId);
    }
  }
  return order;
}

/** RFC 9218: what is sent first when not all can be. */
export const urgencyCases = (create: () => Engine): EngineCase[] =>
  casesWith(create, [
    [
      'Q-17',
      'the more urgent stream is sent first, whatever was written first (RFC 9218 §4.1)',
      async (engine) => {
        const pair = await connectedPair(engine);
        for (const streamId of STREAMS) pair.client.write(streamId, PIECE, false);
        pair.client.setUrgency(0, 7);
        pair.client.setUrgency(8, 0);
        assert.deepEqual(orderOfCompletion(pair, 'client'), [8, 4, 0]);
      },
    ],
    [
      'Q-17',
      'all eight steps differ, and 3 is what a stream begins with',
      async (engine) => {
        const pair = await connectedPair(engine);
        for (const [low, high] of [
          [0, 1],
          [1, 2],
          [2, 3],
          [3, 4],
          [4, 5],
          [5, 6],
          [6, 7],
        ] as const) {
          for (const streamId of STREAMS) pair.client.write(streamId, PIECE, false);
          pair.client.setUrgency(0, 7);
          pair.client.setUrgency(4, high);
          pair.client.setUrgency(8, low);
          assert.deepEqual(orderOfCompletion(pair, 'client').slice(0, 1), [8], `${low} before ${high}`);
          pair.pump();
        }
        for (const streamId of [12, 16, 20]) pair.client.write(streamId, PIECE, false);
        pair.client.setUrgency(12, 4);
        pair.client.setUrgency(20, 2);
        const [first] = transmitAll(pair.client);
        pair.server.receive(first as Uint8Array, SERVER_PATH);
        assert.deepEqual(
          [12, 16, 20].filter((streamId) => pair.server.isReadable(streamId)),
          [20],
        );
      },
    ],
    [
      'Q-17',
      'streams of one urgency share what can be sent',
      async (engine) => {
        const { client, server } = await connectedPair(engine);
        for (const streamId of STREAMS) {
          client.write(streamId, PIECE, false);
          client.setUrgency(streamId, 5);
        }
        for (const datagram of transmitAll(client).slice(0, 3)) server.receive(datagram, SERVER_PATH);
        assert.deepEqual(
          STREAMS.map((streamId) => server.isReadable(streamId)),
          [true, true, true],
        );
      },
    ],
    [
      'Q-17',
      'each side orders what it sends itself',
      async (engine) => {
        const pair = await connectedPair(engine);
        for (const streamId of STREAMS) {
          pair.client.write(streamId, PIECE, false);
          pair.client.setUrgency(streamId, streamId === 8 ? 0 : 7);
        }
        pair.pump();
        for (const streamId of STREAMS) pair.server.write(streamId, PIECE, false);
        pair.server.setUrgency(0, 1);
        pair.server.setUrgency(8, 6);
        assert.deepEqual(orderOfCompletion(pair, 'server'), [0, 4, 8]);
      },
    ],
    [
      'Q-17',
      'the urgency of a stream that is over, or of none, disturbs nothing',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { client, server } = pair;
        client.write(0, PIECE, true);
        pair.pump();
        readAll(server, 0);
        server.write(0, PIECE, true);
        pair.pump();
        readAll(client, 0);
        pair.pump();
        client.setUrgency(0, 1);
        server.setUrgency(0, 1);
        assert.equal(failureOf(() => server.setUrgency(4, 1)).failure, 'stream-unknown');
        assert.equal(failureOf(() => client.setUrgency(Number.NaN, 1)).failure, 'misuse');
        client.write(4, PIECE, false);
        for (const odd of [-1, 8, 255, 256, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY, 1.5]) {
          client.setUrgency(4, odd);
        }
        pair.pump();
        assert.equal(readAll(server, 4).bytes.length, PIECE.length);
      },
    ],
  ]);
