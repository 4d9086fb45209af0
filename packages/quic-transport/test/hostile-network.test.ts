import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import type { Connection } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import type { QuicListener } from '../src/index.ts';
import { forgeInitial, frame } from './engine/packet-forge.ts';
import { collect, createQuicTransport, HEADER, type QuicSetup, targetOf } from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';

/*
 * What those can do who are not the peer: anyone can send datagrams with a connection's ID on them, from any address, and
 * begin handshakes that lead nowhere. And what a peer can do that only wants to be there.
 */

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(setup: QuicSetup = {}): Promise<QuicListener> {
  const transport = await createQuicTransport(setup);
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 });
  cleanups.push(() => listener.close({ drainMs: 0 }));
  return listener;
}

/** A connection with one stream, and the client of it below the contract. */
interface Victim {
  readonly client: RawQuicClient;
  readonly server: Connection;
  /** Sends a stanza, and resolves when it has arrived. */
  stillWorks(): Promise<void>;
}

async function victimOf(listener: QuicListener): Promise<Victim> {
  const accepted = firstValueFrom(listener.connections$);
  const client = await RawQuicClient.connect({ port: listener.address.port });
  cleanups.push(() => client.stop());
  const server = await accepted;
  client.write(0, HEADER);
  const { stanzas } = collect(await firstValueFrom(server.streams$));
  return {
    client,
    server,
    async stillWorks() {
      const before = stanzas.length;
      client.write(0, "<a xmlns='urn:x'/>");
      await expect.poll(() => stanzas.length).toBe(before + 1);
    },
  };
}

/** Sends `count` datagrams from a socket of a stranger; resolves when the listener has seen all of them. */
async function bombard(listener: QuicListener, count: number, next: () => Uint8Array): Promise<void> {
  const stranger = dgram.createSocket('udp4');
  stranger.bind(0, '127.0.0.1');
  await once(stranger, 'listening');
  cleanups.push(() => new Promise<void>((resolve) => stranger.close(resolve)));
  const batch = 20;
  for (let sent = 0; sent < count; sent += batch) {
    const { received } = listener.counters;
    for (let index = 0; index < batch; index++) stranger.send(next(), listener.address.port, '127.0.0.1');
    // No more at once than a socket's buffer takes, or the system would drop them before the listener sees them.
    await expect.poll(() => listener.counters.received, { interval: 2 }).toBeGreaterThanOrEqual(received + batch);
  }
}

describe('datagrams of strangers', () => {
  test('[TC-12] a captured Initial that is replayed 400 times does not end the connection', async () => {
    const listener = await listen();
    const victim = await victimOf(listener);
    const initial = victim.client.sent[0] as Buffer;
    expect(initial.length).toBeGreaterThanOrEqual(1_200);
    await bombard(listener, 400, () => initial);
    await victim.stillWorks();
    expect(listener.connectionCount).toBe(1);
  });

  test('[TC-12] nor does junk that has the right connection ID on it', async () => {
    const listener = await listen();
    const victim = await victimOf(listener);
    const packet = victim.client.sent.findLast((datagram) => ((datagram[0] ?? 0) & 0x80) === 0) as Buffer;
    const start = packet.subarray(0, 17);
    await bombard(listener, 400, () => Buffer.concat([start, randomBytes(1_200 - start.length)]));
    // What led nowhere would be answered with a stateless reset: all of it went to the connection.
    expect(listener.counters).toMatchObject({ unknownConnection: 0, statelessResets: 0 });
    await victim.stillWorks();
    expect(listener.connectionCount).toBe(1);
  });
});

describe('limits', () => {
  test('[TC-12] half a ClientHello counts as a handshake of its address, until it is given up', async () => {
    const listener = await listen({ limits: { maxPendingHandshakesPerAddress: 4 }, options: { retry: 'never' } });
    const client = await createQuicTransport({ domains: [] });
    // A ClientHello of 2048 bytes, of which the first 604 come.
    const half = frame.crypto(0, Buffer.concat([Buffer.of(1, 0, 8, 0), Buffer.alloc(600)]));
    await bombard(listener, 20, () => forgeInitial({ destinationConnectionId: randomBytes(16), frames: [half] }));
    expect(listener.counters).toMatchObject({ refused: 16, unreadable: 0, admitted: 0 });
    await expect(client.connect(targetOf(listener.address))).rejects.toMatchObject({ category: 'refused' });
    await expect.poll(() => listener.counters.unreadable, { timeout: 10_000 }).toBe(4);
    await using connection = await client.connect(targetOf(listener.address));
    expect(connection.role).toBe('initiating');
  });

  test('[TC-12] PINGs do not keep a connection whose only stream was reset', async () => {
    const listener = await listen({ limits: { authenticationTimeoutMs: 300 }, options: { idleTimeoutMs: 1_000 } });
    const { client, server } = await victimOf(listener);
    const pinging = setInterval(() => {
      client.engine.ping();
      client.flush();
    }, 50);
    cleanups.push(async () => clearInterval(pinging));
    client.engine.resetWriting(0, 1);
    client.engine.stopReading(0, 1);
    client.flush();
    await expect.poll(() => client.engine.draining, { timeout: 5_000 }).toBe(true);
    const { peerError } = client.engine;
    expect(peerError).toMatchObject({ application: true, code: 0x01 });
    expect(Buffer.from(peerError?.reason ?? []).toString()).toBe('no stream');
    expect(await server.closed).toMatchObject({ clean: false, by: 'local', error: { category: 'timeout' } });
    expect(listener.counters.received).toBeGreaterThan(5);
  });
});
