import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { statelessReset } from '../../../src/endpoint/stateless-packets.ts';
import type { Engine } from '../../../src/engine/port.ts';
import { casesWith, type EngineCase } from '../engine-case.ts';
import { CLIENT_PATH, connectedPair, failureOf, ID_BYTES, readAll, SERVER_PATH, transmitAll } from '../harness.ts';

const X = Buffer.from('x');

/** Single datagrams: junk, strangers, connection IDs, resets. */
export const datagramCases = (create: () => Engine): EngineCase[] =>
  casesWith(create, [
    [
      'QT-19',
      'junk, truncated, changed and repeated datagrams are ignored by a live connection',
      async (engine) => {
        const pair = await connectedPair(engine);
        const { client, server } = pair;
        client.write(0, X, false);
        const genuine = transmitAll(client)[0] as Uint8Array;
        const before = server.stats().packetsReceived;
        const junk = [
          new Uint8Array(0),
          randomBytes(1),
          randomBytes(20),
          randomBytes(1200),
          Buffer.alloc(1200),
          Buffer.alloc(1200, 0xff),
        ];
        for (let length = 1; length < genuine.length; length++) junk.push(genuine.slice(0, length));
        // Bits of the first byte and the connection ID would make it a packet of somebody else, or of another kind.
        for (let bit = 0; bit < genuine.length * 8; bit++) {
          const changed = Uint8Array.from(genuine);
          changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
          junk.push(changed);
        }
        for (const datagram of junk) server.receive(datagram, SERVER_PATH);
        assert.equal(server.stats().packetsReceived, before);
        assert.equal(server.hasReadable, false);
        server.receive(Uint8Array.from(genuine), SERVER_PATH);
        server.receive(Uint8Array.from(genuine), SERVER_PATH);
        assert.equal(server.stats().packetsReceived, before + 1);
        assert.deepEqual(readAll(server, 0), { bytes: X, end: 'open' });
        pair.pump();
        assert.deepEqual([server.closed, client.closed], [false, false]);
      },
    ],
    [
      'QT-05',
      'a connection has one path: datagrams said to come by another are ignored',
      async (engine) => {
        const pair = await connectedPair(engine);
        pair.client.write(0, X, false);
        const [genuine] = transmitAll(pair.client) as [Uint8Array];
        const before = pair.server.stats().packetsReceived;
        const elsewhere = { ...SERVER_PATH, remote: { host: '198.51.100.1', port: 1111 } };
        const otherPort = { ...SERVER_PATH, remote: { ...SERVER_PATH.remote, port: 1112 } };
        for (const path of [elsewhere, otherPort]) pair.server.receive(Uint8Array.from(genuine), path);
        assert.equal(pair.server.stats().packetsReceived, before);
        assert.equal(pair.server.nextPathEvent(), null);
        pair.server.receive(genuine, structuredClone(SERVER_PATH));
        assert.equal(pair.server.stats().packetsReceived, before + 1);
        assert.deepEqual(pair.server.lastTransmitPath, SERVER_PATH);
        assert.deepEqual(pair.client.lastTransmitPath, CLIENT_PATH);
      },
    ],
    [
      'QT-04',
      'as many connection IDs are wanted as the peer keeps, and no more are taken',
      async (engine) => {
        const options = { activeConnectionIdLimit: 4 };
        const pair = await connectedPair(engine, { client: options, server: options });
        for (const connection of [pair.client, pair.server]) {
          assert.equal(connection.connectionIdsWanted, 3);
          for (let wanted = 3; wanted > 0; wanted--) {
            assert.equal(connection.connectionIdsWanted, wanted);
            connection.issueConnectionId(randomBytes(ID_BYTES), randomBytes(16));
          }
          assert.equal(connection.connectionIdsWanted, 0);
          const extra = () => connection.issueConnectionId(randomBytes(ID_BYTES), randomBytes(16));
          assert.equal(failureOf(extra).failure, 'misuse');
          assert.equal(connection.nextRetiredConnectionId(), null);
        }
        pair.pump();
        assert.deepEqual(pair.failures, { client: [], server: [] });
        pair.client.write(0, X, true);
        pair.pump();
        assert.deepEqual(readAll(pair.server, 0), { bytes: X, end: 'fin' });
      },
    ],
    [
      'QT-04',
      'connection IDs of another length, and tokens that are none, are refused',
      async (engine) => {
        const { server } = await connectedPair(engine);
        for (const [id, token] of [
          [ID_BYTES - 1, 16],
          [ID_BYTES + 1, 16],
          [0, 16],
          [ID_BYTES, 15],
          [ID_BYTES, 17],
        ] as const) {
          assert.equal(
            failureOf(() => server.issueConnectionId(randomBytes(id), randomBytes(token))).failure,
            'misuse',
          );
        }
        assert.equal(server.connectionIdsWanted, 3);
      },
    ],
    [
      'QT-07',
      'the reset token of a connection ends it, and only it',
      async (engine) => {
        const [resetToken, other] = [randomBytes(16), randomBytes(16)];
        const pair = await connectedPair(engine, { accept: { resetToken } });
        pair.client.receive(statelessReset(other, 1000) as Uint8Array, CLIENT_PATH);
        assert.equal(pair.client.closed, false);
        pair.client.receive(statelessReset(resetToken, 1000) as Uint8Array, CLIENT_PATH);
        assert.equal(pair.client.closed || pair.client.draining, true);
        assert.deepEqual([pair.client.timedOut, pair.client.localError, pair.client.peerError], [false, null, null]);
        assert.deepEqual(transmitAll(pair.client), []);
      },
    ],
    [
      'QT-09',
      'a ping is sent and answered; an idle connection sends nothing',
      async (engine) => {
        const pair = await connectedPair(engine);
        assert.deepEqual([transmitAll(pair.client), transmitAll(pair.server)], [[], []]);
        const before = pair.client.stats();
        pair.client.ping();
        pair.client.ping();
        pair.pump();
        const after = pair.client.stats();
        assert.equal(after.packetsSent, before.packetsSent + 1);
        assert.equal(after.packetsReceived, before.packetsReceived + 1);
      },
    ],
  ]);
