import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Engine, EngineConnection } from '../../../src/engine/port.ts';
import { casesWith, type EngineCase } from '../engine-case.ts';
import { connectedPair, type Network, readAll } from '../harness.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Bytes that are the same in every run and tell where they belong. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + (at >> 16)) & 0xff;
  return bytes;
}

/** Sends a body over a stream in as many writes as it takes. */
class Sender {
  readonly #connection: EngineConnection;
  readonly #streamId: number;
  readonly #body: Buffer;
  #at = 0;

  constructor(connection: EngineConnection, streamId: number, body: Buffer) {
    this.#connection = connection;
    this.#streamId = streamId;
    this.#body = body;
  }

  step(): void {
    if (this.#at < this.#body.length)
      this.#at += this.#connection.write(this.#streamId, this.#body.subarray(this.#at), true);
  }
}

/** A network that loses, doubles and reorders datagrams, the same ones in every run. */
function badNetwork(): Network {
  let count = 0;
  return (datagrams) => {
    const arrived: Uint8Array[] = [];
    for (const datagram of datagrams) {
      count++;
      if (count % 11 === 0) continue;
      if (count % 7 === 0) arrived.unshift(datagram);
      else arrived.push(datagram);
      if (count % 13 === 0) arrived.push(Uint8Array.from(datagram));
    }
    return arrived;
  };
}

/** Flow control, and what loss does to it. */
export const flowCases = (create: () => Engine): EngineCase[] =>
  casesWith(create, [
    [
      'QT-10',
      'a reader that stops stops its writer at the window; neighbours go on, and so does it later',
      async (engine) => {
        const pair = await connectedPair(engine, {
          server: { streamWindowBytes: 10_000, maxStreamWindowBytes: 10_000 },
        });
        const { client, server } = pair;
        const body = pattern(100_000);
        let taken = 0;
        for (let round = 0; round < 20; round++) {
          taken += client.write(0, body.subarray(taken), false);
          pair.pump();
        }
        assert.equal(taken, 10_000);
        assert.equal(client.capacity(0), 0);
        const neighbour = new Sender(client, 4, body);
        const received: Buffer[] = [];
        for (let end = 'open'; end === 'open'; ) {
          neighbour.step();
          pair.pump();
          const read = readAll(server, 4);
          received.push(read.bytes);
          end = read.end;
          pair.pump();
        }
        assert.equal(sha256(Buffer.concat(received)), sha256(body));
        assert.equal(readAll(server, 0).bytes.length, 10_000);
        pair.pump();
        assert.ok(client.capacity(0) > 0);
        assert.ok([...client.writableStreams()].includes(0));
      },
    ],
    [
      'QT-10',
      'capacity is known of a stream that was opened while nothing could be sent',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { client } = pair;
        for (let id = 0; client.write(id, Buffer.alloc(65_536), false) > 0; id += 4);
        const left = client.peerStreamsLeft;
        const fresh = 4 * (10 - left - 1);
        assert.equal(client.write(fresh, Buffer.from('x'), false), 0);
        assert.equal(client.capacity(fresh), 0);
        pair.pump();
        assert.ok(client.capacity(fresh) > 0);
        assert.equal(client.write(fresh, Buffer.from('x'), true), 1);
        pair.pump();
        assert.deepEqual(readAll(pair.server, fresh), { bytes: Buffer.from('x'), end: 'fin' });
      },
    ],
    [
      'QT-19',
      'loss, doubling and reordering of datagrams is invisible on the streams',
      async (engine) => {
        const pair = await connectedPair(engine);
        pair.network = badNetwork();
        const body = pattern(300_000);
        const senders = [
          new Sender(pair.client, 0, body),
          new Sender(pair.client, 4, body),
          new Sender(pair.server, 1, body),
        ];
        const received = new Map<number, Buffer[]>([
          [0, []],
          [4, []],
          [1, []],
        ]);
        const ended = new Set<number>();
        await pair.until(() => {
          for (const sender of senders) sender.step();
          for (const [id, chunks] of received) {
            const receiver = id === 1 ? pair.client : pair.server;
            if (!receiver.isReadable(id)) continue;
            const { bytes, end } = readAll(receiver, id);
            chunks.push(bytes);
            if (end === 'fin') ended.add(id);
          }
          return ended.size === 3;
        });
        for (const chunks of received.values()) assert.equal(sha256(Buffer.concat(chunks)), sha256(body));
        assert.ok(pair.client.stats().packetsLost > 0);
      },
    ],
    [
      'QT-10',
      'any lost datagram of the reader is made good: no credit is lost for good',
      async (engine) => {
        for (let lost = 0; lost < 12; lost++) {
          const pair = await connectedPair(engine, {
            server: { streamWindowBytes: 20_000, maxStreamWindowBytes: 20_000 },
          });
          const body = pattern(100_000);
          const sender = new Sender(pair.client, 0, body);
          let fromReader = 0;
          pair.network = (datagrams, from) =>
            from === 'client' ? datagrams : datagrams.filter(() => fromReader++ !== lost);
          let received = 0;
          await pair.until(() => {
            sender.step();
            received += readAll(pair.server, 0).bytes.length;
            return received === body.length;
          });
        }
      },
    ],
    [
      'QT-10',
      'connection-level credit does not run out where the reader lags a whole window behind on every stream',
      async (engine) => {
        const options = { streamWindowBytes: 1_048_576, maxStreamWindowBytes: 1_048_576, maxPeerStreams: 8 };
        const pair = await connectedPair(engine, { server: options });
        const taken = Array.from({ length: 8 }, () => 0);
        const chunk = Buffer.alloc(1_048_576);
        await pair.until(() => {
          for (let index = 0; index < 8; index++) {
            taken[index] = (taken[index] as number) + pair.client.write(4 * index, chunk.subarray(taken[index]), false);
          }
          return taken.every((bytes) => bytes === chunk.length);
        });
        assert.equal(pair.client.capacity(0), 0);
      },
    ],
  ]);
