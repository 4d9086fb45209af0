import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Connection, isMigratable } from '@stanzaport/core';
import { UdpForwarder } from '@stanzaport/testing';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import { parseLongHeader } from '../src/endpoint/packet-header.ts';
import { VIRTUAL_PATH } from '../src/endpoint/virtual-path.ts';
import {
  type ConnectionIdGenerator,
  createRandomConnectionIds,
  createServerIdConnectionIds,
  QuicLbConnectionIds,
  QuicLbDecoder,
  type QuicListener,
  type QuicOptions,
} from '../src/index.ts';
import {
  collect,
  createQuicTransport,
  DOMAIN,
  HEADER,
  openStreamPair,
  type StreamPair,
  targetOf,
} from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';
import { ATTACKED_DOMAIN, UdpAttacker } from './tools/udp-attacker.ts';
import { UdpBalancer } from './tools/udp-balancer.ts';

const INTERNAL_ERROR = 0x01;
const INVALID_TOKEN = 0x0b;
const SERVER_ID = 'ca91';
const KEY = randomBytes(16);

/** Of a server in a fleet, and of its balancer. */
const configOf = (serverId: string) => ({
  configId: 1,
  serverId: Buffer.from(serverId, 'hex'),
  nonceBytes: 14,
  key: KEY,
});
const decoder = new QuicLbDecoder([{ configId: 1, serverIdBytes: 2, nonceBytes: 14, key: KEY }]);
const serverIdIn = (id: Uint8Array): string => Buffer.from(decoder.serverIdOf(id) ?? []).toString('hex');

const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** What is awaited comes at some time; how soon is not tested. */
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 20_000 });

async function listenWith(options: Partial<QuicOptions>, domains = [DOMAIN]): Promise<QuicListener> {
  const transport = await createQuicTransport({ options, domains });
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 });
  cleanUps.push(() => listener.close({ drainMs: 0 }));
  return listener;
}

/** The ID of the handshake and 20 spare ones, as a client gets and uses them one after the other. */
async function issuedIds(listener: QuicListener): Promise<Uint8Array[]> {
  const accepted = firstValueFrom(listener.connections$);
  const peer = await UdpAttacker.connect(listener.address.port);
  cleanUps.push(() => peer.stop());
  const { connection } = peer.attacker;
  const stream = firstValueFrom((await accepted).streams$);
  connection.streamSend(0, Buffer.from(HEADER.replace(DOMAIN, ATTACKED_DOMAIN)), false);
  peer.flush();
  const { stanzas } = collect(await stream);
  const ids = [Uint8Array.from(connection.destinationId())];
  for (let round = 1; round <= 20; round++) {
    while (connection.availableDcids() === 0) await once(peer.socket, 'message');
    connection.retireDestinationCid(round - 1);
    ids.push(Uint8Array.from(connection.destinationId()));
    connection.streamSend(0, Buffer.from(`<a xmlns='urn:x' n='${round}'/>`), false);
    peer.flush();
    // It leads to the connection.
    await eventually(() => stanzas.length).toBe(round);
  }
  return ids;
}

describe('every connection ID comes from the generator', () => {
  for (const [name, connectionIds, isOurs] of [
    ['QUIC-LB', new QuicLbConnectionIds(configOf(SERVER_ID)), (id: Uint8Array) => serverIdIn(id) === SERVER_ID],
    [
      'a server ID and 20 bytes',
      createServerIdConnectionIds({ serverId: Buffer.from(SERVER_ID, 'hex'), bytes: 20 }),
      (id: Uint8Array) => Buffer.from(id.subarray(0, 2)).toString('hex') === SERVER_ID,
    ],
    ['8 random bytes', createRandomConnectionIds(8), () => true],
  ] as const) {
    test(`[QT-20] that of the handshake and all spare ones: ${name}`, async () => {
      const ids = await issuedIds(await listenWith({ connectionIds }, [ATTACKED_DOMAIN]));
      expect(new Set(ids.map((id) => Buffer.from(id).toString('hex'))).size).toBe(21);
      for (const id of ids) {
        expect(id).toHaveLength(connectionIds.bytes);
        expect(isOurs(id)).toBe(true);
      }
    });

    test(`[QT-20] that of a Retry: ${name}`, async () => {
      const listener = await listenWith({ connectionIds, retry: 'always' });
      const client = await RawQuicClient.start({ port: listener.address.port });
      cleanUps.push(() => client.stop());
      await client.until(() => client.sent.length > 1);
      const retried = parseLongHeader(client.sent.at(-1) as Buffer);
      expect(retried?.token.length).toBeGreaterThan(0);
      expect(retried?.destinationConnectionId).toHaveLength(connectionIds.bytes);
      expect(isOurs(retried?.destinationConnectionId as Uint8Array)).toBe(true);
      await client.until(() => client.engine.established);
      expect(listener.counters).toMatchObject({ retried: 1, admitted: 1 });
    });

    test(`[QT-07] a server that has forgotten it resets: ${name}`, async () => {
      const options = { staticKey: randomBytes(32), connectionIds };
      const before = await listenWith(options);
      const { port } = before.address;
      const client = await RawQuicClient.connect({ port });
      cleanUps.push(() => client.stop());
      client.write(0, HEADER);
      client.onDatagram = () => undefined;
      await before.close({ drainMs: 0 });
      const transport = await createQuicTransport({ options });
      const after = await transport.listen({ host: '127.0.0.1', port });
      cleanUps.push(() => after.close({ drainMs: 0 }));
      client.onDatagram = null;
      client.write(0, "<a xmlns='urn:x'/>");
      await client.until(() => client.engine.closed);
      expect(client.engine).toMatchObject({ peerError: null, localError: null, timedOut: false });
      expect(after.counters.statelessResets).toBeGreaterThan(0);
    });
  }

  test('[QT-04] without one they are random and have 16 bytes', async () => {
    const ids = await issuedIds(await listenWith({}, [ATTACKED_DOMAIN]));
    for (const id of ids) expect(id).toHaveLength(16);
    for (let index = 0; index < 16; index++) expect(new Set(ids.map((id) => id[index])).size).toBeGreaterThan(1);
  });
});

describe('a generator that does not work', () => {
  for (const [why, connectionIds, code] of [
    ['too short', { bytes: 7, create: () => randomBytes(7) }, 'XMPP_BAD_OPTION'],
    ['too long', { bytes: 21, create: () => randomBytes(21) }, 'XMPP_BAD_OPTION'],
    ['another length', { bytes: 16, create: () => randomBytes(12) }, 'XMPP_BAD_OPTION'],
    ['always the same', { bytes: 16, create: () => new Uint8Array(16) }, 'XMPP_BAD_OPTION'],
    [
      'an exception',
      {
        bytes: 16,
        create: () => {
          throw new Error('no');
        },
      },
      'XMPP_INTERNAL',
    ],
  ] as const) {
    test(`[QT-20] is known before anybody connects: ${why}`, async () => {
      await expect(createQuicTransport({ options: { connectionIds } })).rejects.toMatchObject({ code });
    });
  }

  for (const retry of ['never', 'always'] as const) {
    test(`[QT-20] costs the clients of that time their connection, and nobody else: Retry ${retry}`, async () => {
      const random = createRandomConnectionIds();
      let broken = false;
      const connectionIds: ConnectionIdGenerator = {
        bytes: random.bytes,
        create: () => (broken ? randomBytes(3) : random.create()),
      };
      const listener = await listenWith({ connectionIds, retry });
      const { port } = listener.address;
      const accepted = firstValueFrom(listener.connections$);
      const before = await RawQuicClient.connect({ port });
      cleanUps.push(() => before.stop());
      before.write(0, HEADER);
      // By then it has its spare IDs.
      await firstValueFrom((await accepted).streams$);
      broken = true;
      const refused = await RawQuicClient.start({ port });
      cleanUps.push(() => refused.stop());
      await refused.until(() => refused.engine.draining);
      expect(refused.engine.peerError).toMatchObject({ application: false, code: INTERNAL_ERROR });
      broken = false;
      const after = await RawQuicClient.connect({ port });
      cleanUps.push(() => after.stop());
      expect(before.engine).toMatchObject({ draining: false, closed: false });
      expect(listener.counters).toMatchObject({ admitted: 2, refused: 1 });
    });
  }
});

test('[QT-20] a generator that fails when spare ones are due costs a connection those, and not its life', async () => {
  const random = createRandomConnectionIds();
  let made = 0;
  const create = (): Uint8Array => {
    made += 1;
    // Two at the start, one for the handshake, and then no more.
    if (made > 3) throw new Error('out of order');
    return random.create();
  };
  const listener = await listenWith({ connectionIds: { bytes: random.bytes, create } });
  const accepted = firstValueFrom(listener.connections$);
  const client = await RawQuicClient.connect({ port: listener.address.port });
  cleanUps.push(() => client.stop());
  const server = await accepted;
  client.write(0, HEADER);
  const stream = await firstValueFrom(server.streams$);
  const { stanzas } = collect(stream);
  stream.markAuthenticated();
  await client.moveTo('127.0.0.1');
  client.write(0, '<message/>');
  await eventually(() => stanzas.length).toBe(1);
  expect(made).toBe(4);
});

test('[QT-02] a Retry token with a connection ID of another length is no token of this server', async () => {
  const staticKey = randomBytes(32);
  const first = await listenWith({ staticKey, retry: 'always' });
  const second = await listenWith({ staticKey, retry: 'always', connectionIds: createRandomConnectionIds(8) });
  const client = await RawQuicClient.start({ port: first.address.port });
  cleanUps.push(() => client.stop());
  client.onDatagram = (retry) => {
    client.engine.receive(retry, VIRTUAL_PATH);
    client.onDatagram = null;
    for (const datagram of client.datagrams()) client.socket.send(datagram, second.address.port, '127.0.0.1');
  };
  await client.until(() => client.engine.draining);
  expect(client.engine.peerError).toMatchObject({ application: false, code: INVALID_TOKEN });
  expect(second.counters).toMatchObject({ refused: 1, admitted: 0, retried: 0 });
});

/** Two servers behind a balancer; the first client it does not know goes to the first. */
interface Fleet {
  readonly balancer: UdpBalancer;
  readonly first: QuicListener;
  readonly second: QuicListener;
}

const SERVER_IDS = ['0001', '0002'] as const;

async function startFleet(connectionIdsOf: (serverId: string) => ConnectionIdGenerator): Promise<Fleet> {
  const [first, second] = await Promise.all(
    SERVER_IDS.map((serverId) => listenWith({ connectionIds: connectionIdsOf(serverId) })),
  );
  if (first === undefined || second === undefined) throw new Error('two servers were expected');
  const ports = new Map([
    [SERVER_IDS[0], first.address.port],
    [SERVER_IDS[1], second.address.port],
  ]);
  const balancer = await UdpBalancer.start(decoder, ports);
  cleanUps.push(() => balancer.stop());
  return { balancer, first, second };
}

/** Both ends of a connection that goes to `server`, and of a stream on it. */
async function connectThrough(port: number, server: QuicListener): Promise<StreamPair & { client: Connection }> {
  const transport = await createQuicTransport({ domains: [] });
  const accepted = firstValueFrom(server.connections$);
  const client = await transport.connect(targetOf({ family: 'IPv4', address: '127.0.0.1', port }));
  cleanUps.push(async () => {
    client.abort();
    await client.close();
  });
  return { client, ...(await openStreamPair({ client, server: await accepted })) };
}

/** Between a client and the balancer: gives the client another port when it is told to. */
async function openNat(port: number): Promise<UdpForwarder> {
  const nat = await UdpForwarder.open({ target: { address: '127.0.0.1', port } });
  cleanUps.push(() => nat.close());
  return nat;
}

describe('behind a load balancer', () => {
  test('[QT-20] connections are spread over the servers, and each stays with its own', async () => {
    const { balancer, first, second } = await startFleet((serverId) => new QuicLbConnectionIds(configOf(serverId)));
    const servers = [first, second, first, second];
    for (const server of servers) {
      const { initiating, receiving } = await connectThrough(balancer.port, server);
      const { stanzas } = collect(receiving);
      initiating.send('<message><body>Wherefore art thou?</body></message>');
      await eventually(() => stanzas.length).toBe(1);
    }
    expect([first.connectionCount, second.connectionCount]).toEqual([2, 2]);
    for (const [index, listener] of [first, second].entries()) {
      expect(balancer.trafficOf(SERVER_IDS[index] as string).routed).toBeGreaterThan(0);
      expect(listener.counters).toMatchObject({ admitted: 2, unknownConnection: 0 });
    }
  });

  test('[QT-20] a connection stays with its server while the address of its client changes', async () => {
    const { balancer, first, second } = await startFleet((serverId) => new QuicLbConnectionIds(configOf(serverId)));
    const nat = await openNat(balancer.port);
    const { initiating, receiving } = await connectThrough(nat.address.port, first);
    const [asked, answered] = [collect(receiving).stanzas, collect(initiating).stanzas];
    for (let round = 1; round <= 5; round++) {
      await nat.clients[0]?.rebind();
      // By its address it would belong to the other server every second time.
      initiating.send(`<message id='${round}'/>`);
      await eventually(() => asked.length).toBe(round);
      receiving.send(`<message id='${round}' type='chat'/>`);
      await eventually(() => answered.length).toBe(round);
    }
    expect(asked).toEqual(Array.from({ length: 5 }, (_, index) => `<message id='${index + 1}'/>`));
    expect(answered).toEqual(Array.from({ length: 5 }, (_, index) => `<message id='${index + 1}' type='chat'/>`));
    expect(balancer.trafficOf(SERVER_IDS[1])).toEqual({ routed: 0, fallen: 0 });
    expect(second.counters.received).toBe(0);
  });

  test('[QT-20] a connection stays with its server when its client migrates', async () => {
    const { balancer, first, second } = await startFleet((serverId) => new QuicLbConnectionIds(configOf(serverId)));
    const { client, initiating, receiving } = await connectThrough(balancer.port, first);
    if (!isMigratable(client)) throw new Error('a QUIC connection migrates');
    const [asked, answered] = [collect(receiving).stanzas, collect(initiating).stanzas];
    for (const [index, localAddress] of ['127.0.0.2', '127.0.0.3', '127.0.0.4'].entries()) {
      await client.migrate({ localAddress });
      initiating.send(`<message id='${index}'/>`);
      await eventually(() => asked.length).toBe(index + 1);
      receiving.send(`<message id='${index}' type='chat'/>`);
      await eventually(() => answered.length).toBe(index + 1);
    }
    expect(balancer.trafficOf(SERVER_IDS[1])).toEqual({ routed: 0, fallen: 0 });
    expect(second.counters.received).toBe(0);
  });

  test('[QT-07] a server does not betray the reset token of a connection of another one', async () => {
    const staticKey = randomBytes(32);
    const [first, second] = await Promise.all(
      SERVER_IDS.map((serverId) =>
        listenWith({ staticKey, connectionIds: new QuicLbConnectionIds(configOf(serverId)) }, [ATTACKED_DOMAIN]),
      ),
    );
    const peer = await UdpAttacker.connect(first?.address.port as number);
    cleanUps.push(() => peer.stop());
    // Who sees the ID on the way, and reaches the other server past the balancer.
    const packet = Buffer.concat([Buffer.of(0x40), peer.attacker.connection.destinationId(), randomBytes(80)]);
    const stranger = await UdpAttacker.connect(second?.address.port as number);
    cleanUps.push(() => stranger.stop());
    await stranger.send(packet);
    await eventually(() => second?.counters.unknownConnection).toBe(1);
    expect(second?.counters.statelessResets).toBe(0);
    // Of its own former connections it tells.
    const former = new QuicLbConnectionIds(configOf(SERVER_IDS[1])).create();
    await stranger.send(Buffer.concat([Buffer.of(0x40), former, randomBytes(80)]));
    await eventually(() => second?.counters.statelessResets).toBe(1);
  });

  test('[QT-20] without the server ID it would come to a stranger', async () => {
    const { balancer, first, second } = await startFleet(() => createRandomConnectionIds());
    const nat = await openNat(balancer.port);
    const { initiating } = await connectThrough(nat.address.port, first);
    await nat.clients[0]?.rebind();
    initiating.send('<message/>');
    await eventually(() => second.counters.unknownConnection).toBeGreaterThan(0);
  });
});
