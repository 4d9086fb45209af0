import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { parseLongHeader } from '../../../src/endpoint/packet-header.ts';
import { refuseInitial, retryPacket, versionNegotiation } from '../../../src/endpoint/stateless-packets.ts';
import type { Engine, EngineConnection } from '../../../src/engine/port.ts';
import { issueCredential, testCredentials } from '../credentials.ts';
import { casesWith, type EngineCase } from '../engine-case.ts';
import {
  acceptOptions,
  CLIENT_PATH,
  clientOptions,
  connectedPair,
  connectOptions,
  createPair,
  failureOf,
  Pair,
  SERVER_PATH,
  serverOptions,
  transmitAll,
} from '../harness.ts';

const subjects = (connection: EngineConnection): string[] =>
  connection.peerCertificates().map((der) => new X509Certificate(der).subject);

/** Answers the client's first Initial with `answer` instead of a server. */
function answerFirst(
  client: EngineConnection,
  answer: (header: NonNullable<ReturnType<typeof parseLongHeader>>) => Uint8Array,
): void {
  const [first] = transmitAll(client);
  const header = parseLongHeader(first ?? Buffer.alloc(0));
  assert.ok(header);
  client.receive(answer(header), CLIENT_PATH);
}

const newClient = (engine: Engine): EngineConnection =>
  engine.connect(engine.createConfig(clientOptions()), connectOptions());

/** From the first Initial to the facts of a secured connection. */
export const handshakeCases = (create: () => Engine): EngineCase[] =>
  casesWith(create, [
    [
      'Q-10',
      'the handshake ends with one protocol on both sides, the first of the server that the client offers',
      async (engine) => {
        const { client, server } = await connectedPair(engine, { client: { alpn: ['h3', 'xmpp-client'] } });
        assert.deepEqual([client.alpn, server.alpn], ['xmpp-client', 'xmpp-client']);
        assert.deepEqual([client.resumed, server.resumed], [false, false]);
      },
    ],
    [
      'Q-10',
      'without a common protocol the server refuses with no_application_protocol',
      async (engine) => {
        const pair = await createPair(engine, { client: { alpn: ['h3'] } });
        pair.pump();
        assert.deepEqual(
          pair.failures.server.map(({ failure }) => failure),
          ['tls'],
        );
        assert.equal(pair.server.localError?.code, 0x178);
        assert.equal(pair.client.established, false);
        assert.deepEqual([pair.client.peerError?.application, pair.client.peerError?.code], [false, 0x178]);
      },
    ],
    [
      'Q-07',
      'the server learns the name the client asks for',
      async (engine) => {
        const pair = await createPair(engine, { connect: { serverName: 'xn--bcher-kva.example' } });
        assert.equal(pair.server.serverName, null);
        pair.pump();
        assert.equal(pair.server.serverName, 'xn--bcher-kva.example');
        assert.equal(pair.client.serverName, 'xn--bcher-kva.example');
      },
    ],
    [
      'Q-03',
      "the client gets the server's chain, end-entity first, and nothing before the handshake",
      async (engine) => {
        const pair = await createPair(engine);
        assert.deepEqual(pair.client.peerCertificates(), []);
        pair.pump();
        assert.deepEqual(subjects(pair.client), ['CN=server.example', 'CN=Engine Intermediate CA']);
        assert.deepEqual(subjects(pair.server), []);
      },
    ],
    [
      'Q-03',
      'the client leaves the verdict to us: an expired self-signed certificate for another name is presented',
      async (engine) => {
        const pair = await connectedPair(engine, { server: { credential: (await testCredentials()).expired } });
        assert.deepEqual(subjects(pair.client), ['CN=old.example']);
      },
    ],
    [
      'Q-04',
      "a server that asks gets the client's chain, end-entity first",
      async (engine) => {
        const { client } = await testCredentials();
        const pair = await connectedPair(engine, {
          client: { credential: client },
          server: { requestPeerCertificate: true },
        });
        assert.deepEqual(subjects(pair.server), ['CN=client.example', 'CN=Engine Intermediate CA']);
      },
    ],
    [
      'Q-04',
      'a server that asks leaves the verdict to us: an expired self-signed certificate is presented',
      async (engine) => {
        const { expired } = await testCredentials();
        const pair = await connectedPair(engine, {
          client: { credential: expired },
          server: { requestPeerCertificate: true },
        });
        assert.deepEqual(subjects(pair.server), ['CN=old.example']);
      },
    ],
    [
      'Q-04',
      'a client without certificate goes on without, or is told certificate_required',
      async (engine) => {
        const pair = await createPair(engine, { server: { requestPeerCertificate: true } });
        pair.pump();
        assert.deepEqual(pair.server.peerCertificates(), []);
        if (pair.server.established) return;
        assert.equal(pair.server.localError?.code, 0x174);
        assert.equal(pair.client.peerError?.code, 0x174);
      },
    ],
    [
      'CERT-01',
      'keys of every kind in use work, for server and client',
      async (engine) => {
        for (const keyAlgorithm of ['p-256', 'p-384', 'p-521', 'ed25519', 'rsa-2048', 'rsa-3072'] as const) {
          const credential = await issueCredential({ keyAlgorithm, dnsNames: ['server.example'] });
          const pair = await connectedPair(engine, {
            server: { credential, requestPeerCertificate: true },
            client: { credential },
          });
          assert.equal(subjects(pair.client)[0], 'CN=server.example');
          assert.equal(subjects(pair.server)[0], 'CN=server.example');
        }
      },
    ],
    [
      'QT-18',
      'a server that does not ask gets no certificate',
      async (engine) => {
        const pair = await connectedPair(engine, { client: { credential: (await testCredentials()).client } });
        assert.deepEqual(subjects(pair.server), []);
      },
    ],
    [
      'QT-01',
      'Initial datagrams of a client have at least 1200 bytes, and none is larger than configured',
      async (engine) => {
        const sizes: number[] = [];
        const pair = await createPair(engine, {
          client: { maxDatagramBytes: 1400 },
          server: { maxDatagramBytes: 1300 },
        });
        pair.network = (datagrams, from) => {
          if (from === 'server') sizes.push(...datagrams.map(({ length }) => length));
          for (const datagram of datagrams) {
            const initial = parseLongHeader(datagram)?.type === 'initial';
            assert.ok(datagram.length <= (from === 'client' ? 1400 : 1300));
            assert.ok(!initial || from === 'server' || datagram.length >= 1200, `${datagram.length}`);
          }
          return datagrams;
        };
        pair.pump();
        pair.server.write(1, Buffer.alloc(10_000), true);
        pair.client.write(0, Buffer.alloc(10_000), true);
        pair.pump();
        assert.equal(Math.max(...sizes), 1300);
      },
    ],
    [
      'QT-02',
      'after a Retry the client comes back with its token, and the connection ID it names',
      async (engine) => {
        const client = newClient(engine);
        const [token, retryId] = [randomBytes(60), randomBytes(16)];
        let original: Uint8Array = Buffer.alloc(0);
        answerFirst(client, (header) => {
          original = Uint8Array.from(header.destinationConnectionId);
          return retryPacket(header, retryId, token);
        });
        const [second] = transmitAll(client);
        const header = parseLongHeader(second ?? Buffer.alloc(0));
        assert.deepEqual(Buffer.from(header?.token ?? []), token);
        assert.deepEqual(Buffer.from(header?.destinationConnectionId ?? []), retryId);
        const config = engine.createConfig(await serverOptions());
        const accept = acceptOptions({ sourceConnectionId: retryId, originalDestinationConnectionId: original });
        const server = engine.accept(config, accept);
        server.receive(second as Uint8Array, SERVER_PATH);
        new Pair(client, server).pump();
        assert.deepEqual([client.established, server.established], [true, true]);
      },
    ],
    [
      'QT-02',
      'a Retry that was tampered with, and a second one, are ignored',
      (engine) => {
        const client = newClient(engine);
        answerFirst(client, (header) => {
          const packet = retryPacket(header, randomBytes(16), randomBytes(60));
          packet[30] = (packet[30] as number) ^ 1;
          return packet;
        });
        assert.deepEqual(transmitAll(client), []);
        const again = newClient(engine);
        answerFirst(again, (header) => retryPacket(header, randomBytes(16), randomBytes(60)));
        answerFirst(again, (header) => retryPacket(header, randomBytes(16), randomBytes(60)));
        assert.deepEqual([transmitAll(again).length, again.closed], [0, false]);
      },
    ],
    [
      'QT-03',
      'Version Negotiation that lists version 1 is ignored',
      (engine) => {
        const client = newClient(engine);
        answerFirst(client, versionNegotiation);
        assert.deepEqual([client.closed, client.draining], [false, false]);
      },
    ],
    [
      'QT-03',
      'Version Negotiation without version 1 ends the connection',
      (engine) => {
        const client = newClient(engine);
        const unknown = (header: Parameters<typeof versionNegotiation>[0]) => {
          const packet = versionNegotiation(header);
          packet.set([0x1a, 0x2a, 0x3a, 0x4a], packet.length - 4);
          return packet;
        };
        assert.equal(failureOf(() => answerFirst(client, unknown)).failure, 'protocol');
        assert.equal(client.closed, true);
      },
    ],
    [
      'Q-08',
      'a stateless refusal tells the client the code and the reason',
      (engine) => {
        const client = newClient(engine);
        answerFirst(client, (header) => refuseInitial(header, 0x16d, 'no server name'));
        assert.deepEqual(
          client.peerError && { ...client.peerError, reason: Buffer.from(client.peerError.reason).toString() },
          {
            application: false,
            code: 0x16d,
            reason: 'no server name',
          },
        );
        assert.deepEqual([client.draining, client.established], [true, false]);
      },
    ],
    [
      'QT-19',
      'each datagram of the handshake may be lost once',
      async (engine) => {
        for (const lost of [0, 1, 2, 3]) {
          const pair = await createPair(engine);
          let index = 0;
          pair.network = (datagrams) => datagrams.filter(() => index++ !== lost);
          await pair.until(() => pair.client.established && pair.server.established);
        }
      },
    ],
    [
      'QT-01',
      'a first datagram that is no QUIC is not answered, and starts no timer',
      async (engine) => {
        const config = engine.createConfig(await serverOptions());
        for (const bytes of [1, 20, 1200]) {
          const server = engine.accept(config, acceptOptions());
          assert.equal(server.deadlineMs, null);
          const noise = Buffer.alloc(bytes, 0xff);
          const { failure } = failureOf(() => server.receive(noise, SERVER_PATH));
          assert.equal(failure, server.closed ? 'protocol' : undefined);
          assert.deepEqual([transmitAll(server), server.established, server.deadlineMs], [[], false, null]);
        }
      },
    ],
  ]);
