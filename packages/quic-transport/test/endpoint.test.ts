import { once } from 'node:events';
import type { StanzaStream } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import type { QuicListener, QuicTransport } from '../src/index.ts';
import { frame } from './engine/packet-forge.ts';
import { collect, createQuicTransport, DOMAIN, HEADER, headerOf, type QuicSetup, targetOf } from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';
import { ATTACKED_DOMAIN, UdpAttacker } from './tools/udp-attacker.ts';

const ATTACKER_HEADER = HEADER.replace(DOMAIN, ATTACKED_DOMAIN);
const listeners: QuicListener[] = [];

afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close({ drainMs: 0 })));
});

async function listen(transport: QuicTransport): Promise<QuicListener> {
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 });
  listeners.push(listener);
  return listener;
}

const listenWith = async (setup: QuicSetup = {}): Promise<QuicListener> => listen(await createQuicTransport(setup));

describe('connection IDs', () => {
  test('[QT-04] a retired one is replaced, the next one leads to the same connection, and the retired one nowhere', async () => {
    const listener = await listenWith({ domains: [ATTACKED_DOMAIN] });
    const accepted = firstValueFrom(listener.connections$);
    const peer = await UdpAttacker.connect(listener.address.port);
    const { connection } = peer.attacker;
    const stream = firstValueFrom((await accepted).streams$);
    connection.streamSend(0, Buffer.from(ATTACKER_HEADER), false);
    peer.flush();
    const { stanzas } = collect(await stream);
    const used = new Set<string>();
    for (let round = 1; round <= 20; round++) {
      used.add(Buffer.from(connection.destinationId()).toString('hex'));
      while (connection.availableDcids() === 0) await once(peer.socket, 'message');
      connection.retireDestinationCid(round - 1);
      connection.streamSend(0, Buffer.from(`<a xmlns='urn:x' n='${round}'/>`), false);
      peer.flush();
      await expect.poll(() => stanzas.length).toBe(round);
    }
    expect(used.size).toBe(20);
    // The one in use and three spare ones, the client's own first one, that of the handshake, and the last few retired ones.
    expect(listener.routeCount).toBeLessThanOrEqual(4 + 1 + 1 + 8);
    await peer.stop();
  });

  test('[QT-07] nobody gets a stateless reset for the ID of the handshake while its connection lives', async () => {
    const listener = await listenWith({ domains: [ATTACKED_DOMAIN] });
    const accepted = firstValueFrom(listener.connections$);
    const peer = await UdpAttacker.connect(listener.address.port);
    const { connection } = peer.attacker;
    const handshakeId = Buffer.from(connection.destinationId());
    const stream = firstValueFrom((await accepted).streams$);
    connection.streamSend(0, Buffer.from(ATTACKER_HEADER), false);
    peer.flush();
    const { stanzas } = collect(await stream);
    for (let round = 1; round <= 12; round++) {
      while (connection.availableDcids() === 0) await once(peer.socket, 'message');
      connection.retireDestinationCid(round - 1);
      connection.streamSend(0, Buffer.from(`<a xmlns='urn:x' n='${round}'/>`), false);
      peer.flush();
      await expect.poll(() => stanzas.length).toBe(round);
    }
    const { received } = listener.counters;
    await peer.send(Buffer.concat([Uint8Array.of(0x40), handshakeId, Buffer.alloc(60)]));
    await expect.poll(() => listener.counters.received).toBeGreaterThan(received);
    expect(listener.counters.statelessResets).toBe(0);
    await peer.stop();
  });

  test('[QT-04] a late packet to a retired one does no harm', async () => {
    const listener = await listenWith({ domains: [ATTACKED_DOMAIN] });
    const accepted = firstValueFrom(listener.connections$);
    const peer = await UdpAttacker.connect(listener.address.port);
    const { connection } = peer.attacker;
    const late = peer.forge.seal(frame.ping());
    const stream = firstValueFrom((await accepted).streams$);
    connection.streamSend(0, Buffer.from(ATTACKER_HEADER), false);
    connection.retireDestinationCid(0);
    peer.flush();
    const { stanzas } = collect(await stream);
    await expect.poll(() => connection.availableDcids()).toBe(3);
    const { received } = listener.counters;
    await peer.send(late);
    await expect.poll(() => listener.counters.received).toBeGreaterThan(received);
    // A stateless reset in answer would end the client's connection.
    expect(listener.counters.statelessResets).toBe(0);
    connection.streamSend(0, Buffer.from("<a xmlns='urn:x'/>"), false);
    peer.flush();
    await expect.poll(() => stanzas.length).toBe(1);
    await peer.stop();
  });
});

describe('the end of a connection', () => {
  test('[QT-15] CONNECTION_CLOSE is said again, so that a peer that missed it does not keep a ghost', async () => {
    const listener = await listenWith();
    const accepted = firstValueFrom(listener.connections$);
    const client = await RawQuicClient.connect({ port: listener.address.port });
    client.write(0, HEADER);
    const connection = await accepted;
    const stream = await firstValueFrom(connection.streams$);
    await headerOf(stream);
    const missed = new Promise<void>((resolve) => {
      client.onDatagram = () => resolve();
    });
    connection.abort();
    await missed;
    expect(client.engine.draining).toBe(false);
    client.onDatagram = null;
    await client.until(() => client.engine.draining);
    expect(client.engine.peerError).toMatchObject({ application: true, code: 0x01 });
    await client.stop();
    await connection.close();
    expect(listener.routeCount).toBe(0);
  });

  test('[QT-07] a peer that comes back to a server that has forgotten it is told by a stateless reset', async () => {
    const staticKey = Buffer.alloc(32, 7);
    const options = { staticKey };
    const before = await listenWith({ options });
    const { port } = before.address;
    const client = await RawQuicClient.connect({ port });
    client.write(0, HEADER);
    // The server dies: nothing of it is heard any more, and another one with the same key takes its port.
    client.onDatagram = () => undefined;
    await before.close({ drainMs: 0 });
    listeners.length = 0;
    const transport = await createQuicTransport({ options });
    listeners.push(await transport.listen({ host: '127.0.0.1', port }));
    client.onDatagram = null;
    client.write(0, "<a xmlns='urn:x'/>");
    await client.until(() => client.engine.closed);
    expect(client.engine).toMatchObject({ peerError: null, localError: null, timedOut: false });
    await client.stop();
  });
});

describe('sockets', () => {
  test('[TC-01] one transport has several listeners, each with its own connections', async () => {
    const transport = await createQuicTransport();
    const [first, second] = [await listen(transport), await listen(transport)] as const;
    expect(first.address.port).not.toBe(second.address.port);
    const client = await createQuicTransport({ domains: [] });
    await using toFirst = await client.connect(targetOf(first.address));
    await using toSecond = await client.connect(targetOf(second.address));
    await first.close({ drainMs: 0 });
    expect(await toFirst.closed).toMatchObject({ by: 'peer', error: { category: 'peer-reset' } });
    const stream = await toSecond.openStream();
    stream.sendHeader({ to: DOMAIN });
    const arrived = await firstValueFrom((await firstValueFrom(second.connections$)).streams$);
    await headerOf(arrived);
    arrived.events$.subscribe();
  });

  test('[TC-12] [TC-08] one UDP socket carries a thousand connections, and nothing remains of them', async () => {
    // A machine that is busy with other things takes its time for a thousand handshakes, and that is not in question.
    const patient = { headerTimeoutMs: 120_000, closeTimeoutMs: 120_000, handshakeTimeoutMs: 120_000 };
    const transport = await createQuicTransport({ limits: { ...patient, maxPendingHandshakesPerAddress: 1_000 } });
    const listener = await listen(transport);
    const client = await createQuicTransport({ domains: [], limits: patient });
    listener.connections$.subscribe((connection) =>
      connection.streams$.subscribe((stream) =>
        stream.events$.subscribe((event) => {
          if (event.type === 'header') stream.sendHeader();
        }),
      ),
    );
    const open = async (): Promise<StanzaStream> => {
      const connection = await client.connect(targetOf(listener.address));
      const stream = await connection.openStream();
      stream.sendHeader({ to: DOMAIN });
      await headerOf(stream);
      return stream;
    };
    const streams: StanzaStream[] = [];
    for (let batch = 0; batch < 20; batch++) {
      streams.push(...(await Promise.all(Array.from({ length: 50 }, open))));
    }
    const connections = streams.map(({ connection }) => connection);
    expect(new Set(streams.map(({ header }) => header?.id)).size).toBe(1_000);
    expect(listener.connectionCount).toBe(1_000);
    await Promise.all(connections.map((connection) => connection.close()));
    await listener.close();
    expect(listener.connectionCount).toBe(0);
    expect(listener.routeCount).toBe(0);
  }, 120_000);
});

test('[QT-19] two key updates of the peer are invisible', async () => {
  const listener = await listenWith({ domains: [ATTACKED_DOMAIN] });
  const accepted = firstValueFrom(listener.connections$);
  const peer = await UdpAttacker.connect(listener.address.port);
  const forge = peer.forge;
  let offset = 0;
  const say = (text: string): Promise<void> => {
    const data = Buffer.from(text);
    const stream = frame.stream(0, offset, data);
    offset += data.length;
    // The keys may change again only when packets sealed with these are acknowledged; so are those of the server here.
    return peer.send(forge.seal(stream, frame.ack(20, 20)));
  };
  await say(ATTACKER_HEADER);
  const stream = await firstValueFrom((await accepted).streams$);
  const { stanzas } = collect(stream);
  stream.markAuthenticated();
  for (let generation = 0; generation < 3; generation++) {
    if (generation > 0) forge.updateKeys();
    await say(`<message id='${generation}'/>`);
    await expect.poll(() => stanzas.length).toBe(generation + 1);
  }
  await peer.stop();
});
