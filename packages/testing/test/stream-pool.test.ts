import {
  type Connection,
  type IdentityQuestion,
  type PeerVerdict,
  type StanzaStream,
  StreamPool,
} from '@stanzaport/core';
import { afterEach, describe, expect, test } from 'vitest';
import { MemoryNetwork, MemoryTransport, type MemoryTransportOptions } from '../src/index.ts';

const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Scene {
  readonly pool: StreamPool;
  readonly accepted: readonly Connection[];
  open(domain: string): Promise<StanzaStream>;
}

async function setUp(options: MemoryTransportOptions = {}): Promise<Scene> {
  const transport = new MemoryTransport({ network: new MemoryNetwork(), ...options });
  const listener = await transport.listen({ port: 0 });
  const accepted: Connection[] = [];
  listener.connections$.subscribe((connection) => {
    accepted.push(connection);
    connection.streams$.subscribe((stream) => stream.events$.subscribe({ error: () => undefined }));
  });
  const pool = new StreamPool(transport);
  cleanUps.push(
    () => listener.close({ drainMs: 0 }),
    () => pool.close(),
  );
  const { port } = listener.address;
  return { pool, accepted, open: (domain) => pool.openStream({ kind: 'c2s', domain, host: 'one.example', port }) };
}

const verify = ({ domain }: IdentityQuestion): PeerVerdict => ({
  verified: true,
  domain,
  matched: `dns:${domain}`,
  expiresAtMs: Number.MAX_SAFE_INTEGER,
});

describe('a stream pool on any transport', () => {
  test('[Q-17] with one stream a connection, each stream has its own', async () => {
    const { open, accepted, pool } = await setUp({ maxStreams: 1 });
    const streams = await Promise.all(Array.from({ length: 10 }, () => open('a.example')));
    expect(new Set(streams.map(({ connection }) => connection)).size).toBe(10);
    expect(accepted).toHaveLength(10);
    expect(pool.connections).toHaveLength(10);
  });

  test('[Q-17] with many streams a connection, all share one', async () => {
    const { open, accepted } = await setUp();
    const streams = await Promise.all(Array.from({ length: 100 }, () => open('a.example')));
    expect(new Set(streams.map(({ connection }) => connection)).size).toBe(1);
    expect(accepted).toHaveLength(1);
  });

  test('[Q-19] a connection that has proved nothing is for the domain it was made for only', async () => {
    const { open, accepted } = await setUp();
    const first = await open('a.example');
    expect((await open('b.example')).connection).not.toBe(first.connection);
    expect((await open('a.example')).connection).toBe(first.connection);
    expect(accepted).toHaveLength(2);
  });

  test('[Q-19] one that proves several domains is for all of them', async () => {
    const { open, accepted } = await setUp({ verify });
    const streams = await Promise.all(['a.example', 'b.example', 'B.example', 'c.example'].map(open));
    expect(new Set(streams.map(({ connection }) => connection)).size).toBe(1);
    expect(accepted).toHaveLength(1);
  });

  test('[Q-19] a certificate that has expired meanwhile, or is trusted no more, is good for no further stream', async () => {
    let trusted = true;
    const expiring = ({ domain }: IdentityQuestion): PeerVerdict =>
      trusted
        ? { verified: true, domain, matched: `dns:${domain}`, expiresAtMs: 0 }
        : { verified: false, domain, reason: 'expired', alert: 45, detail: 'it has expired' };
    const { open, pool } = await setUp({ verify: expiring });
    const first = await open('a.example');
    expect((await open('a.example')).connection).toBe(first.connection);
    trusted = false;
    await expect(open('a.example')).rejects.toMatchObject({ reason: 'expired' });
    expect(pool.connections).toHaveLength(1);
  });

  test('[TC-09] a peer that ends every connection at once is not asked again and again', async () => {
    const transport = new MemoryTransport({ network: new MemoryNetwork() });
    const listener = await transport.listen({ port: 0 });
    let count = 0;
    listener.connections$.subscribe((connection) => {
      count += 1;
      connection.abort();
    });
    const pool = new StreamPool(transport);
    cleanUps.push(
      () => listener.close({ drainMs: 0 }),
      () => pool.close(),
    );
    const { port } = listener.address;
    const opened = pool.openStream({ kind: 'c2s', domain: 'a.example', port });
    await expect(opened).rejects.toMatchObject({ code: 'XMPP_PEER_RESET' });
    expect(count).toBe(1);
    expect(pool.connections).toEqual([]);
  });

  test('[Q-17] a transport with one order for all bytes checks the urgency, and does nothing more', async () => {
    const { open } = await setUp();
    const stream = await open('a.example');
    const urgent = await stream.connection.openStream({ urgency: 0 });
    expect(urgent.urgency).toBe(0);
    urgent.setUrgency(7);
    expect(urgent.urgency).toBe(7);
    await expect(stream.connection.openStream({ urgency: 8 })).rejects.toMatchObject({ code: 'XMPP_BAD_OPTION' });
  });
});
