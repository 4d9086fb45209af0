import assert from 'node:assert/strict';
import { parseLongHeader } from '../../../src/endpoint/packet-header.ts';
import { retryPacket } from '../../../src/endpoint/stateless-packets.ts';
import {
  type Engine,
  type EngineAccept,
  type EngineConfig,
  type EngineConfigOptions,
  type EngineTicketKeys,
  TICKET_KEY_BYTES,
} from '../../../src/engine/port.ts';
import { createRandom } from '../../tools/random.ts';
import { issueCredential, testCredentials } from '../credentials.ts';
import { casesWith, type EngineCase } from '../engine-case.ts';
import {
  acceptOptions,
  CLIENT_PATH,
  clientOptions,
  connectOptions,
  failureOf,
  Pair,
  readAll,
  serverOptions,
  transmitAll,
} from '../harness.ts';

const HEADER = Buffer.from('<stream:stream>');
const FEATURES = Buffer.from('<stream:features/>');

const key = (seed: number): Uint8Array => Buffer.alloc(TICKET_KEY_BYTES, seed);
const keys = (sealing: number, opening = sealing): EngineTicketKeys => ({
  sealing: key(sealing),
  opening: key(opening),
});

/** A client and a server that know each other's settings, and meet more than once. */
class Acquaintances {
  readonly #engine: Engine;
  readonly #client: EngineConfig;
  readonly #server: EngineConfig;

  private constructor(engine: Engine, client: EngineConfig, server: EngineConfig) {
    this.#engine = engine;
    this.#client = client;
    this.#server = server;
  }

  static async make(
    engine: Engine,
    { client = {}, server = {} }: Partial<Record<'client' | 'server', Partial<EngineConfigOptions>>> = {},
  ): Promise<Acquaintances> {
    const clientConfig = engine.createConfig(clientOptions({ earlyData: true, ...client }));
    return new Acquaintances(
      engine,
      clientConfig,
      engine.createConfig(await serverOptions({ earlyData: true, ...server })),
    );
  }

  meet(session: Uint8Array | null, ticketKeys = keys(1), accept: Partial<EngineAccept> = {}): Pair {
    const client = this.#engine.connect(this.#client, connectOptions({ session }));
    return new Pair(client, this.#engine.accept(this.#server, acceptOptions({ ticketKeys, ...accept })));
  }

  /** What the client can resume by after a meeting that comes to its end. */
  async session(ticketKeys?: EngineTicketKeys): Promise<Uint8Array> {
    const pair = this.meet(null, ticketKeys);
    await pair.until(() => pair.client.session !== null);
    return pair.client.session as Uint8Array;
  }
}

/** The first flight of a client that writes its header before anything else. */
function earlyFlight({ client }: Pair): Uint8Array[] {
  assert.equal(client.write(0, HEADER, false), HEADER.length);
  return transmitAll(client);
}

/** Session tickets and 0-RTT. */
export const resumptionCases = (create: () => Engine): EngineCase[] =>
  casesWith(create, [
    [
      'QT-16',
      'a session is resumed with the certificates of the first handshake, on both sides',
      async (engine) => {
        const { client: credential } = await testCredentials();
        const client = { credential, earlyData: false };
        const server = { requestPeerCertificate: true, earlyData: false };
        const acquaintances = await Acquaintances.make(engine, { client, server });
        const pair = acquaintances.meet(await acquaintances.session());
        assert.equal(pair.client.earlyData, 'none');
        pair.pump();
        for (const side of [pair.client, pair.server]) {
          assert.deepEqual([side.established, side.resumed, side.earlyData], [true, true, 'none']);
          assert.ok(side.peerCertificates().length > 0);
        }
      },
    ],
    [
      'QT-17',
      'what is written first leaves with the first datagram, and the answer comes back with the first of the server',
      async (engine) => {
        const acquaintances = await Acquaintances.make(engine);
        const pair = acquaintances.meet(await acquaintances.session());
        const { client, server } = pair;
        assert.equal(client.earlyData, 'offered');
        const flight = earlyFlight(pair);
        assert.equal(flight.length, 1);
        for (const datagram of flight)
          server.receive(datagram, { local: CLIENT_PATH.remote, remote: CLIENT_PATH.local });
        assert.deepEqual([server.established, server.earlyData, server.resumed], [false, 'accepted', true]);
        assert.deepEqual([server.alpn, server.serverName], ['xmpp-client', 'server.example']);
        assert.deepEqual(readAll(server, 0), { bytes: HEADER, end: 'open' });
        assert.equal(server.write(0, FEATURES, false), FEATURES.length);
        const [answer] = transmitAll(server);
        assert.equal(client.earlyData, 'offered');
        client.receive(answer as Uint8Array, CLIENT_PATH);
        assert.deepEqual([client.established, client.earlyData, client.resumed], [true, 'accepted', true]);
        assert.deepEqual(readAll(client, 0).bytes, FEATURES);
        pair.pump();
        assert.deepEqual([server.established, server.earlyData], [true, 'accepted']);
      },
    ],
    ...(
      [
        ['as the ticket cannot be opened', keys(2), {}, false],
        ['as the server does not want it', keys(1), { earlyData: false }, true],
      ] as const
    ).map(
      ([why, ticketKeys, server, resumed]) =>
        [
          'QT-17',
          `early data that is refused, ${why}, arrives once and later`,
          async (engine: Engine) => {
            const session = await (await Acquaintances.make(engine)).session();
            const pair = (await Acquaintances.make(engine, { server })).meet(session, ticketKeys);
            pair.client.write(0, HEADER, true);
            assert.equal(pair.client.earlyData, 'offered');
            await pair.until(() => pair.server.isReadable(0));
            assert.deepEqual(readAll(pair.server, 0), { bytes: HEADER, end: 'fin' });
            assert.deepEqual([pair.client.earlyData, pair.server.earlyData], ['rejected', 'none']);
            assert.deepEqual([pair.client.resumed, pair.server.resumed], [resumed, resumed]);
          },
        ] as const,
    ),
    [
      'QT-02',
      'early data survives a Retry',
      async (engine) => {
        const acquaintances = await Acquaintances.make(engine);
        const session = await acquaintances.session();
        const first = acquaintances.meet(session).client;
        first.write(0, HEADER, false);
        const header = parseLongHeader(transmitAll(first)[0] as Uint8Array);
        assert.ok(header);
        const id = Buffer.alloc(16, 9);
        first.receive(retryPacket(header, id, Buffer.from('token')), CLIENT_PATH);
        assert.equal(first.earlyData, 'offered');
        const retried = acquaintances.meet(null, keys(1), {
          sourceConnectionId: id,
          originalDestinationConnectionId: Uint8Array.from(header.destinationConnectionId),
        }).server;
        const pair = new Pair(first, retried);
        await pair.until(() => retried.isReadable(0));
        assert.deepEqual(readAll(retried, 0).bytes, HEADER);
        assert.deepEqual([first.earlyData, retried.earlyData], ['accepted', 'accepted']);
      },
    ],
    [
      'QT-16',
      'the tickets of a server without early data allow none',
      async (engine) => {
        const acquaintances = await Acquaintances.make(engine, { server: { earlyData: false } });
        const { client } = acquaintances.meet(await acquaintances.session());
        assert.equal(client.earlyData, 'none');
      },
    ],
    [
      'QT-16',
      'a client without early data does not offer what its ticket allows',
      async (engine) => {
        const session = await (await Acquaintances.make(engine)).session();
        const shy = await Acquaintances.make(engine, { client: { earlyData: false } });
        const pair = shy.meet(session);
        assert.equal(pair.client.earlyData, 'none');
        pair.pump();
        assert.deepEqual([pair.server.resumed, pair.server.earlyData], [true, 'none']);
      },
    ],
    [
      'QT-16',
      'a ticket opened with an older key is followed by one sealed with the newest',
      async (engine) => {
        const acquaintances = await Acquaintances.make(engine, { client: { earlyData: false } });
        const pair = acquaintances.meet(await acquaintances.session(keys(1)), keys(2, 1));
        await pair.until(() => pair.client.session !== null);
        assert.equal(pair.server.resumed, true);
        const next = acquaintances.meet(pair.client.session, keys(2));
        next.pump();
        assert.equal(next.server.resumed, true);
      },
    ],
    [
      'QT-16',
      'connections of one configuration have ticket keys of their own, however their packets come',
      async (engine) => {
        const acquaintances = await Acquaintances.make(engine, { client: { earlyData: false } });
        const sessions = [await acquaintances.session(keys(1)), await acquaintances.session(keys(2))] as const;
        const pairs = [acquaintances.meet(sessions[0], keys(1)), acquaintances.meet(sessions[1], keys(2))];
        for (let round = 0; round < 4; round++) {
          const flights = pairs.map(({ client, server }) => [transmitAll(client), transmitAll(server)] as const);
          for (const [index, { client, server }] of pairs.entries()) {
            const [toServer = [], toClient = []] = flights[index] ?? [];
            for (const datagram of toServer) {
              server.receive(datagram, { local: CLIENT_PATH.remote, remote: CLIENT_PATH.local });
            }
            for (const datagram of toClient) client.receive(datagram, CLIENT_PATH);
          }
        }
        assert.deepEqual(
          pairs.map(({ server }) => [server.established, server.resumed]),
          [
            [true, true],
            [true, true],
          ],
        );
        for (const [index, { client }] of pairs.entries()) {
          const next = acquaintances.meet(client.session, keys(index + 1));
          next.pump();
          assert.equal(next.server.resumed, true);
        }
      },
    ],
    [
      'QT-17',
      '1,000 garbled sessions do no harm: a handshake, or a TLS failure',
      async (engine) => {
        const acquaintances = await Acquaintances.make(engine);
        const session = await acquaintances.session();
        const random = createRandom(17);
        let established = 0;
        for (let round = 0; round < 1_000; round++) {
          const garbled = Buffer.from(session);
          for (let left = 1 + random.below(3); left > 0; left--)
            garbled[random.below(garbled.length)] = random.below(256);
          const cut = random.below(4) === 0 ? garbled.subarray(0, random.below(garbled.length)) : garbled;
          const pair = acquaintances.meet(cut);
          pair.pump();
          if (pair.server.established) established += 1;
          else assert.ok(pair.failures.server.length + pair.failures.client.length > 0);
          const failures = [...pair.failures.client, ...pair.failures.server].map(({ failure }) => failure);
          assert.deepEqual(
            failures.filter((failure) => failure !== 'tls' && failure !== 'protocol'),
            [],
          );
        }
        assert.ok(established > 900, `only ${established} of 1,000 came through`);
      },
    ],
    [
      'QT-17',
      'a ticket that would make the ClientHello very long is not offered',
      async (engine) => {
        const dnsNames = Array.from({ length: 200 }, (_, number) => `domain-number-${number}.client.example`);
        const credential = await issueCredential({ dnsNames });
        const client = { credential, earlyData: false };
        const server = { requestPeerCertificate: true, earlyData: false };
        const acquaintances = await Acquaintances.make(engine, { client, server });
        const pair = acquaintances.meet(await acquaintances.session());
        pair.pump();
        assert.deepEqual([pair.client.established, pair.client.resumed, pair.server.resumed], [true, false, false]);
      },
    ],
    [
      'QT-16',
      'ticket keys of a wrong length are refused',
      async (engine) => {
        const acquaintances = await Acquaintances.make(engine);
        const short = { sealing: key(1).subarray(1), opening: key(1) };
        assert.equal(failureOf(() => acquaintances.meet(null, short)).failure, 'misuse');
      },
    ],
  ]);
