import { createHmac, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { type LongHeader, parseLongHeader } from '../src/endpoint/packet-header.ts';
import { AddressTokens, type RetryBinding } from '../src/endpoint/tokens.ts';
import { forgeInitial, frame } from './engine/packet-forge.ts';
import { AttackStage } from './tools/attack-stage.ts';
import type { VictimSetup } from './tools/attack-victim.ts';
import { HelloSource } from './tools/hello-flood.ts';
import { HonestPeer } from './tools/honest-peer.ts';
import { closeCodeIn, framesOf } from './tools/initial-frames.ts';
import { createQuicTransport, targetOf } from './tools/quic-pair.ts';

/*
 * What can be done to a listener without ever completing a handshake, against one in a process of its own. A connection
 * that is there already goes on through all of it.
 */

const MEGABYTE = 1_000_000;
const [CONNECTION_REFUSED, INVALID_TOKEN] = [0x02, 0x0b];

let stage: AttackStage;

afterEach(() => stage.clear());

async function set(setup: VictimSetup = {}): Promise<void> {
  stage = await AttackStage.set(setup);
}

async function openSource(host?: string, followsRetry?: boolean): Promise<HelloSource> {
  const source = await HelloSource.open(stage.victim.port, host, followsRetry);
  onTestFinished(() => source.close());
  return source;
}

const addresses = (count: number): string[] => Array.from({ length: count }, (_, index) => `127.0.1.${index + 1}`);

/** The most unfinished handshakes there were whenever this was asked. */
async function mostPending(most: number): Promise<number> {
  return Math.max(most, (await stage.victim.report()).pendingHandshakes);
}

const handshakesAreOver = (): Promise<void> =>
  expect.poll(async () => (await stage.victim.report()).pendingHandshakes, { timeout: 15_000 }).toBe(0);

describe('tokens', () => {
  const staticKey = Buffer.alloc(32, 3);
  /** As the listener seals them; the keys of its purposes are made of the static key. */
  const tokensOf = (key: Uint8Array): AddressTokens =>
    new AddressTokens(createHmac('sha256', key).update('stanzaport address token').digest());

  test('[QT-02] forged, expired, of another address, port, connection or server: INVALID_TOKEN, and nothing is kept', async () => {
    await set({ options: { retry: 'always', staticKey } });
    const source = await openSource();
    const id = randomBytes(16);
    const binding: RetryBinding = {
      host: '127.0.0.1',
      port: source.socket.address().port,
      retrySourceConnectionId: id,
    };
    const seal = (change: Partial<RetryBinding> = {}, ageMs = 0, key: Uint8Array = staticKey): Uint8Array =>
      tokensOf(key).seal(randomBytes(16), { ...binding, ...change }, Date.now() - ageMs);
    const flipped = Buffer.from(seal());
    flipped.writeUInt8(flipped.readUInt8(30) ^ 1, 30);
    const tokens = [
      flipped,
      Buffer.concat([seal().subarray(0, 1), randomBytes(60)]),
      seal().subarray(0, 20),
      seal({}, 11_000),
      seal({}, -5_000),
      seal({ host: '127.0.0.2' }),
      seal({ port: binding.port ^ 1 }),
      seal({ retrySourceConnectionId: randomBytes(16) }),
      seal({}, 0, randomBytes(32)),
    ];
    const rounds = 100;
    const damage = await stage.play(async () => {
      for (const token of tokens) {
        const initial = forgeInitial({ destinationConnectionId: id, token, frames: [frame.ping()] });
        expect(closeCodeIn(await source.ask(initial), id)).toBe(INVALID_TOKEN);
        for (let round = 1; round < rounds; round++) await source.send(initial);
        await stage.victim.report();
      }
    });
    const refused = tokens.length * rounds;
    expect(damage.counters).toMatchObject({ refused, admitted: 0, retried: 0, unreadable: 0 });
    expect(damage.after).toMatchObject({ pendingHandshakes: 0, connections: 1 });
    expect(damage.growthBytes).toBeLessThan(24 * MEGABYTE);
  });

  test('[QT-02] a token that is no Retry token counts as none', async () => {
    await set({ options: { retry: 'always', staticKey } });
    const source = await openSource();
    const token = Buffer.concat([Buffer.of(0x01), randomBytes(60)]);
    const answer = await source.ask(forgeInitial({ destinationConnectionId: randomBytes(16), token, frames: [] }));
    expect(parseLongHeader(answer)?.type).toBe('retry');
  });

  test('[QT-02] a valid one that is replayed makes one handshake, and no more while that one lasts', async () => {
    await set({ options: { retry: 'always', staticKey } });
    const source = await openSource();
    const binding = { host: '127.0.0.1', port: source.socket.address().port, retrySourceConnectionId: randomBytes(16) };
    const first = await openSource();
    // A real ClientHello, which the token is put in front of by hand.
    const hello = await first.begin();
    const { sourceConnectionId, destinationConnectionId } = parseLongHeader(Buffer.from(hello)) as LongHeader;
    const initial = forgeInitial({
      destinationConnectionId: binding.retrySourceConnectionId,
      token: tokensOf(staticKey).seal(randomBytes(16), binding, Date.now()),
      sourceConnectionId,
      frames: [framesOf(hello, destinationConnectionId, 'client')],
    });
    const damage = await stage.play(async () => {
      for (let count = 0; count < 300; count++) {
        await source.send(initial);
        if (count % 50 === 0) await stage.victim.report();
      }
    });
    expect(damage.counters).toMatchObject({ admitted: 1, refused: 0 });
    expect(damage.after.pendingHandshakes).toBe(1);
    expect(damage.growthBytes).toBeLessThan(24 * MEGABYTE);
  });
});

describe('floods of Initials', () => {
  test('[TC-12] from one address that may be spoofed: a few handshakes, and its owner still comes in, by Retry', async () => {
    await set({ limits: { handshakeTimeoutMs: 4_000 } });
    const source = await openSource();
    let most = 0;
    const damage = await stage.play(async () => {
      for (let count = 1; count <= 2_000; count++) {
        await source.begin();
        if (count % 50 === 0) most = await mostPending(most);
      }
      const owner = await HonestPeer.connect(stage.victim.port);
      await owner.exchange();
      await owner.leave();
    });
    expect(most).toBe(32);
    expect(damage.counters.admitted + damage.counters.retried).toBe(2_000 + 2);
    expect(damage.counters.retried).toBeGreaterThan(1_500);
    expect(damage.counters.refused).toBe(0);
    expect(damage.growthBytes).toBeLessThan(40 * MEGABYTE);
    await handshakesAreOver();
  });

  test('[TC-12] from one address that proves itself: as many again, the rest is refused, other addresses are not', async () => {
    await set({ limits: { handshakeTimeoutMs: 4_000 } });
    const source = await openSource('127.0.0.1', true);
    let most = 0;
    const damage = await stage.play(async () => {
      for (let count = 1; count <= 1_000; count++) {
        await source.begin();
        if (count % 25 === 0) most = await mostPending(most);
      }
    });
    expect(most).toBe(64);
    expect(damage.counters.refused).toBeGreaterThan(500);
    expect(damage.growthBytes).toBeLessThan(40 * MEGABYTE);
    // Another client of that address is told, one of another address is let in.
    const client = await createQuicTransport({ domains: [] });
    const target = targetOf({ family: 'IPv4', address: '127.0.0.1', port: stage.victim.port });
    await expect(client.connect(target)).rejects.toMatchObject({ category: 'refused', quicCode: CONNECTION_REFUSED });
    const elsewhere = await openSource('127.0.0.2');
    await elsewhere.begin();
    await expect.poll(async () => (await stage.victim.report()).pendingHandshakes).toBeGreaterThan(0);
    await expect.poll(() => elsewhere.answers.length).toBeGreaterThan(0);
    expect(parseLongHeader(elsewhere.answers[0] as Buffer)?.type).toBe('initial');
    await handshakesAreOver();
    const next = await HonestPeer.connect(stage.victim.port);
    await next.exchange();
    await next.leave();
  });

  test('[QT-02] from many addresses that do not answer: Retry, nothing is kept of them, and new clients come in', async () => {
    await set({ limits: { handshakeTimeoutMs: 3_000 } });
    const sources = await Promise.all(addresses(100).map((host) => openSource(host)));
    let most = 0;
    const damage = await stage.play(async () => {
      for (let round = 0; round < 30; round++) {
        for (const source of sources) await source.begin();
        most = await mostPending(most);
      }
      const client = await HonestPeer.connect(stage.victim.port);
      await client.exchange();
      await client.leave();
    });
    expect(damage.counters).toMatchObject({ refused: 0, unreadable: 0 });
    // The threshold; the client came in by Retry beside it.
    expect(most).toBe(100);
    expect(damage.counters.admitted + damage.counters.retried).toBe(100 * 30 + 2);
    expect(damage.counters.retried).toBeGreaterThan(2_000);
    expect(damage.growthBytes).toBeLessThan(40 * MEGABYTE);
    await handshakesAreOver();
  });

  test('[TC-12] from many addresses that prove themselves: as many handshakes as the limit, each given up in time', async () => {
    await set({ limits: { handshakeTimeoutMs: 6_000, maxPendingHandshakes: 500 } });
    const sources = await Promise.all(addresses(50).map((host) => openSource(host, true)));
    let most = 0;
    const damage = await stage.play(async () => {
      for (let round = 0; round < 24; round++) {
        for (const source of sources) await source.begin();
        most = await mostPending(most);
      }
      await expect.poll(async () => (await stage.victim.report()).counters.refused).toBeGreaterThan(0);
      most = await mostPending(most);
    });
    expect(most).toBe(500);
    expect(damage.growthBytes).toBeLessThan(80 * MEGABYTE);
    // Nobody comes in while the limit is reached, whoever it is; the error says so.
    const client = await createQuicTransport({ domains: [] });
    const target = targetOf({ family: 'IPv4', address: '127.0.0.1', port: stage.victim.port });
    await expect(client.connect(target)).rejects.toMatchObject({ category: 'refused', quicCode: CONNECTION_REFUSED });
    await handshakesAreOver();
    await using connection = await client.connect(target);
    expect(connection.role).toBe('initiating');
  });

  test('[QT-02] without NEW_TOKEN every connection proves its address anew', async () => {
    await set({ options: { retry: 'always' } });
    const damage = await stage.play(async () => {
      for (let count = 0; count < 3; count++) {
        const client = await HonestPeer.connect(stage.victim.port);
        await client.exchange();
        await client.leave();
      }
    });
    expect(damage.counters).toMatchObject({ retried: 3, admitted: 3 });
  });
});
