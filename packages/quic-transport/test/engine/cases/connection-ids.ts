import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Engine, EngineConnection } from '../../../src/engine/port.ts';
import { casesWith, type EngineCase } from '../engine-case.ts';
import {
  CLIENT_PATH,
  connectedPair,
  failureOf,
  ID_BYTES,
  type Pair,
  readAll,
  SERVER_PATH,
  transmitAll,
} from '../harness.ts';

const hex = (id: Uint8Array | null): string => Buffer.from(id ?? []).toString('hex');

const issue = (connection: EngineConnection): Buffer => {
  const id = randomBytes(ID_BYTES);
  connection.issueConnectionId(id, randomBytes(16));
  return id;
};

const replace = (connection: EngineConnection): Buffer | null => {
  const id = randomBytes(ID_BYTES);
  return connection.replaceConnectionId(id, randomBytes(16)) ? id : null;
};

/** The ID the client addresses its packets to now. */
const usedByClient = ({ client, server }: Pair): Buffer => {
  client.ping();
  const [datagram] = transmitAll(client);
  assert.ok(datagram !== undefined);
  const id = Buffer.from(datagram.subarray(1, 1 + ID_BYTES));
  server.receive(datagram, SERVER_PATH);
  return id;
};

const retired = (connection: EngineConnection): Uint8Array[] => {
  const ids: Uint8Array[] = [];
  for (let id = connection.nextRetiredConnectionId(); id !== null; id = connection.nextRetiredConnectionId())
    ids.push(id);
  return ids;
};

/** The IDs a connection goes by (RFC 9000 §5.1): supplied, retired, replaced. */
export const connectionIdCases = (create: () => Engine): EngineCase[] =>
  casesWith(create, [
    [
      'QT-04',
      'a replaced ID makes the peer retire the oldest and go over to the next',
      async (engine) => {
        const pair = await connectedPair(engine, { client: { activeConnectionIdLimit: 3 } });
        const { client, server } = pair;
        assert.equal(server.connectionIdLimit, 3);
        const [first, second] = [issue(server), issue(server)];
        pair.pump();
        const handshakeId = usedByClient(pair);
        const third = replace(server);
        pair.pump();
        assert.deepEqual(retired(server).map(hex), [hex(handshakeId)]);
        assert.equal(hex(usedByClient(pair)), hex(first));
        // Two of three are left besides: both can be replaced in one go, and the peer is on IDs it has only now.
        const [fourth, fifth] = [replace(server), replace(server)];
        pair.pump();
        assert.deepEqual(retired(server).map(hex), [hex(first), hex(second)]);
        assert.equal(hex(usedByClient(pair)), hex(third));
        assert.ok(fourth !== null && fifth !== null);
        assert.deepEqual(pair.failures, { client: [], server: [] });
        client.write(0, Buffer.from('x'), true);
        pair.pump();
        assert.deepEqual(readAll(server, 0), { bytes: Buffer.from('x'), end: 'fin' });
      },
    ],
    [
      'QT-04',
      'nothing is replaced while the peer takes more, nor when too many wait to be retired',
      async (engine) => {
        const pair = await connectedPair(engine, { client: { activeConnectionIdLimit: 2 } });
        const { server } = pair;
        assert.equal(failureOf(() => replace(server)).failure, 'misuse');
        issue(server);
        assert.notEqual(replace(server), null);
        assert.equal(replace(server), null);
        pair.pump();
        assert.equal(retired(server).length, 1);
        assert.notEqual(replace(server), null);
        pair.pump();
        assert.deepEqual(pair.failures, { client: [], server: [] });
      },
    ],
    [
      'QT-06',
      'each side goes over to another ID of its peer, as long as there is a spare one',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { client, server } = pair;
        assert.equal(client.changePeerConnectionId(), false);
        const issued = [issue(server), issue(server), issue(server)];
        issue(client);
        pair.pump();
        for (const id of issued) {
          assert.equal(client.changePeerConnectionId(), true);
          assert.equal(hex(usedByClient(pair)), hex(id));
          pair.pump();
          assert.equal(retired(server).length, 1);
        }
        assert.equal(client.changePeerConnectionId(), false);
        assert.equal(server.changePeerConnectionId(), true);
        pair.pump();
        assert.equal(retired(client).length, 1);
        assert.deepEqual(pair.failures, { client: [], server: [] });
      },
    ],
    [
      'QT-06',
      'an ID is changed also after the peer has replaced many',
      async (engine) => {
        const pair = await connectedPair(engine, { client: { activeConnectionIdLimit: 3 } });
        const { client, server } = pair;
        issue(server);
        issue(server);
        for (let round = 0; round < 50; round++) {
          assert.notEqual(replace(server), null);
          pair.pump();
        }
        assert.equal(retired(server).length, 50);
        const before = hex(usedByClient(pair));
        assert.equal(client.changePeerConnectionId(), true);
        assert.notEqual(hex(usedByClient(pair)), before);
        pair.pump();
        assert.deepEqual(pair.failures, { client: [], server: [] });
      },
    ],
    [
      'QT-05',
      'a datagram is never longer than the room it is given',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { server, client } = pair;
        client.write(0, Buffer.from('?'), false);
        pair.pump();
        server.write(0, Buffer.alloc(5_000), true);
        const lengths: number[] = [];
        for (const room of [64, 100, 300, 1_000]) {
          const into = new Uint8Array(room);
          const length = server.transmit(into);
          assert.ok(length <= room);
          lengths.push(length);
          client.receive(into.subarray(0, length), CLIENT_PATH);
        }
        assert.ok(lengths.every((length) => length > 0));
        pair.pump();
        assert.equal(readAll(client, 0).bytes.length, 5_000);
      },
    ],
  ]);
