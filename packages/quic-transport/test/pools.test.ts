import 'reflect-metadata';
import {
  type Connection,
  type ConnectTarget,
  coreModule,
  type StanzaStream,
  StreamPool,
  type StreamPoolOptions,
} from '@stanzaport/core';
import { type CredentialOptions, provesLocalDomain, tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import { QUIC_STREAM_POOL, type QuicOptions, quicTransportModule } from '../src/index.ts';
import { converse, credentialFor, type PoolServer, servePool } from './tools/pool-server.ts';
import { collect, createQuicTransport, headerOf, targetOf, testCa } from './tools/quic-pair.ts';

const REMOTE = ['a.example', 'b.example', 'c.example'] as const;
const LOCAL = ['x.example', 'y.example', 'z.example'] as const;
const STREAMS = 200;
const STANZAS = 5;

const remoteCredential = await credentialFor(...REMOTE);
const localCredential = await credentialFor(...LOCAL);
const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Setup {
  readonly kind: 'c2s' | 's2s';
  readonly remote?: readonly CredentialOptions[];
  readonly local?: readonly CredentialOptions[];
  readonly server?: Partial<QuicOptions>;
  readonly client?: Partial<QuicOptions>;
  readonly pool?: StreamPoolOptions;
}

interface Scene {
  readonly server: PoolServer;
  readonly pool: StreamPool;
  target(domain: string, localDomain?: string): ConnectTarget;
}

async function setUp(setup: Setup): Promise<Scene> {
  const server = await servePool(setup.kind, setup.remote ?? [remoteCredential], setup.server);
  const transport = await createQuicTransport({
    domains: [],
    credentials: setup.local ?? (setup.kind === 's2s' ? [localCredential] : []),
    ...(setup.client === undefined ? {} : { options: setup.client }),
  });
  const pool = new StreamPool(transport, { provesLocalDomain, ...setup.pool });
  cleanUps.push(
    () => server.close(),
    () => pool.close(),
  );
  return {
    server,
    pool,
    target: (domain, localDomain) => ({
      ...targetOf(server.listener.address, setup.kind, domain),
      ...(localDomain === undefined ? {} : { localDomain }),
    }),
  };
}

describe('many streams on one connection (XEP-0467 §2 (9))', () => {
  test('[Q-17] [Q-18] [Q-20] 200 streams of 3 x 3 pairs of domains, all proved by two certificates', async () => {
    const { server, pool, target } = await setUp({ kind: 's2s', server: { maxS2sStreams: STREAMS } });
    const pairs = Array.from({ length: STREAMS }, (_, index) => ({
      name: `s${index}`,
      to: REMOTE[index % 3] as string,
      from: LOCAL[Math.floor(index / 3) % 3] as string,
    }));
    const streams = await Promise.all(pairs.map(({ to, from }) => pool.openStream(target(to, from))));
    const talks = streams.map(async (stream, index) => {
      const { name, to, from } = pairs[index] as (typeof pairs)[number];
      const ids = await converse(stream, { to, from }, { name, count: STANZAS });
      expect(ids).toEqual(Array.from({ length: STANZAS }, (_, count) => `${name}-${count}`));
      expect(stream.header).toMatchObject({ from: to, to: from, namespace: 'jabber:server' });
    });
    await Promise.all(talks);
    expect(new Set(streams.map(({ connection }) => connection)).size).toBe(1);
    expect(server.connections).toHaveLength(1);
    expect([...server.headers].sort()).toEqual(pairs.map(({ from, to }) => `${from} ${to}`).sort());
    expect(new Set(server.headers).size).toBe(9);
    await pool.close();
    const reasons = await Promise.all(streams.map(({ closed }) => closed));
    expect(reasons.every(({ clean }) => clean)).toBe(true);
  });

  test('[Q-17] 200 accounts of three domains on one c2s connection', async () => {
    const { server, pool, target } = await setUp({ kind: 'c2s', server: { maxC2sStreams: STREAMS } });
    const accounts = Array.from({ length: STREAMS }, (_, index) => ({
      name: `u${index}`,
      to: REMOTE[index % 3] as string,
    }));
    const talks = accounts.map(async ({ name, to }) => {
      const stream = await pool.openStream(target(to));
      const ids = await converse(stream, { to, from: `${name}@${to}` }, { name, count: STANZAS });
      expect(ids).toEqual(Array.from({ length: STANZAS }, (_, count) => `${name}-${count}`));
    });
    await Promise.all(talks);
    expect(server.connections).toHaveLength(1);
    expect([...server.headers].sort()).toEqual(accounts.map(({ name, to }) => `${name}@${to} ${to}`).sort());
  });

  test('[Q-20] a third from that the certificate does not prove is refused, the other two are untouched', async () => {
    const { pool, target } = await setUp({ kind: 's2s', local: [await credentialFor('x.example', 'y.example')] });
    const first = await pool.openStream(target('a.example', 'x.example'));
    const second = await pool.openStream(target('a.example', 'y.example'));
    await converse(first, { to: 'a.example', from: 'x.example' }, { name: 'x', count: 1 });
    await converse(second, { to: 'a.example', from: 'y.example' }, { name: 'y', count: 1 });
    const third = await first.connection.openStream();
    third.sendHeader({ to: 'a.example', from: 'z.example' });
    expect(await collect(third).ended).toBe('not-authorized');
    for (const stream of [first, second]) {
      const echo = firstValueFrom(stream.stanzas$);
      stream.send("<message id='still'/>");
      expect((await echo).id).toBe('still');
    }
  });

  test('[Q-22] streams of the receiving entity come by streams$, and keep the connection', async () => {
    const options = { reverseStreams: true };
    const { server, pool, target } = await setUp({
      kind: 's2s',
      server: options,
      client: options,
      pool: { idleTimeoutMs: 20 },
    });
    const own = await pool.openStream(target('a.example', 'x.example'));
    await converse(own, { to: 'a.example', from: 'x.example' }, { name: 'own', count: 1 });
    const [accepted] = server.connections as [Connection];
    const reverse = await accepted.openStream();
    reverse.sendHeader({ to: 'x.example', from: 'a.example' });
    const arrived = await firstValueFrom(pool.streams$);
    await headerOf(arrived);
    expect(arrived).toMatchObject({ role: 'receiving', header: { from: 'a.example', to: 'x.example' } });
    expect(arrived.connection).toBe(own.connection);
    expect(accepted.security.verify({ domain: 'x.example', purpose: 's2s-client' }).verified).toBe(true);
    arrived.sendHeader();
    arrived.markAuthenticated();
    await headerOf(reverse);
    await own.close();
    // Longer than the connection may be without a stream: two stanzas that come after other timers of that length.
    for (const id of ['1', '2']) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const stanza = firstValueFrom(arrived.stanzas$);
      reverse.send(`<message id='${id}'/>`);
      expect((await stanza).id).toBe(id);
    }
    await Promise.all([reverse.close(), arrived.close()]);
    expect(await own.connection.closed).toMatchObject({ clean: true });
  });
});

describe('a domain that is not proved (Q-19)', () => {
  const other = credentialFor('d.example');

  test('[Q-19] gets a connection of its own, and later streams go where they are proved', async () => {
    const { server, pool, target } = await setUp({ kind: 'c2s', remote: [remoteCredential, await other] });
    const a = await pool.openStream(target('a.example'));
    const d = await pool.openStream(target('d.example'));
    const b = await pool.openStream(target('b.example'));
    const again = await pool.openStream(target('d.example'));
    expect(b.connection).toBe(a.connection);
    expect(again.connection).toBe(d.connection);
    expect(d.connection).not.toBe(a.connection);
    expect(d.connection.security).toMatchObject({ sni: 'd.example', verdict: { domain: 'd.example', verified: true } });
    await expect.poll(() => server.connections.length).toBe(2);
  });

  test('[Q-19] or is refused before any byte, as the caller chose', async () => {
    const { server, pool, target } = await setUp({ kind: 'c2s', remote: [remoteCredential, await other] });
    const a = await pool.openStream(target('a.example'));
    await converse(a, { to: 'a.example' }, { name: 'a', count: 1 });
    await expect(pool.openStream(target('d.example'), { whenUnproved: 'refuse' })).rejects.toMatchObject({
      code: 'XMPP_CERTIFICATE_REFUSED',
      reason: 'name-mismatch',
      domain: 'd.example',
    });
    const b = await pool.openStream(target('b.example'), { whenUnproved: 'refuse' });
    await converse(b, { to: 'b.example' }, { name: 'b', count: 1 });
    expect(server.headers).toEqual([' a.example', ' b.example']);
    expect(server.listener.connectionCount).toBe(1);
  });

  test('[Q-19] is refused where the server has no certificate for it at all', async () => {
    const { pool, target } = await setUp({ kind: 'c2s' });
    await pool.openStream(target('a.example'));
    await expect(pool.openStream(target('d.example'))).rejects.toMatchObject({ alert: 112 });
    expect(pool.connections).toHaveLength(1);
  });

  test('[Q-19] [Q-20] so it is with the local domain: only what our certificate names shares a connection', async () => {
    const local = [localCredential, await credentialFor('w.example')];
    const { server, pool, target } = await setUp({ kind: 's2s', local });
    const x = await pool.openStream(target('a.example', 'x.example'));
    const y = await pool.openStream(target('b.example', 'y.example'));
    await expect(pool.openStream(target('a.example', 'w.example'), { whenUnproved: 'refuse' })).rejects.toMatchObject({
      code: 'XMPP_CERTIFICATE_REFUSED',
      domain: 'w.example',
    });
    const w = await pool.openStream(target('a.example', 'w.example'));
    expect(y.connection).toBe(x.connection);
    expect(w.connection).not.toBe(x.connection);
    for (const [stream, to, from] of [
      [x, 'a.example', 'x.example'],
      [y, 'b.example', 'y.example'],
      [w, 'a.example', 'w.example'],
    ] as const) {
      expect(await converse(stream, { to, from }, { name: from, count: 1 })).toEqual([`${from}-0`]);
    }
    expect(server.connections).toHaveLength(2);
  });

  test('[Q-19] each local domain has its own connection where nothing tells what our certificate proves', async () => {
    const { pool, target } = await setUp({ kind: 's2s', pool: { provesLocalDomain: () => false } });
    const x = await pool.openStream(target('a.example', 'x.example'));
    const y = await pool.openStream(target('a.example', 'y.example'));
    const again = await pool.openStream(target('b.example', 'x.example'));
    expect(y.connection).not.toBe(x.connection);
    expect(again.connection).toBe(x.connection);
  });

  test('[Q-21] strictTo: a to that is served but not in the certificate presented is a policy-violation', async () => {
    const remote = [remoteCredential, await other];
    for (const strictTo of [true, false]) {
      const { pool, target } = await setUp({ kind: 'c2s', remote, server: { strictTo } });
      const { connection } = await pool.openStream(target('a.example'));
      const [covered, notCovered, notServed] = (await Promise.all([
        connection.openStream(),
        connection.openStream(),
        connection.openStream(),
      ])) as [StanzaStream, StanzaStream, StanzaStream];
      expect(await converse(covered, { to: 'b.example' }, { name: 'b', count: 1 })).toEqual(['b-0']);
      notServed.sendHeader({ to: 'e.example' });
      expect(await collect(notServed).ended).toBe('host-unknown');
      notCovered.sendHeader({ to: 'd.example' });
      if (strictTo) expect(await collect(notCovered).ended).toBe('policy-violation');
      else await headerOf(notCovered);
    }
  });
});

describe('limits of streams (QT-11)', () => {
  const server = { maxC2sStreams: 4 };
  const openFour = (scene: Scene): Promise<StanzaStream[]> =>
    Promise.all(Array.from({ length: 4 }, () => scene.pool.openStream(scene.target('a.example'))));

  test('[QT-11] a fifth stream gets a second connection', async () => {
    const scene = await setUp({ kind: 'c2s', server });
    const [first] = await openFour(scene);
    const fifth = await scene.pool.openStream(scene.target('a.example'));
    const sixth = await scene.pool.openStream(scene.target('b.example'));
    expect(fifth.connection).not.toBe(first?.connection);
    expect(sixth.connection).toBe(fifth.connection);
  });

  test('[QT-11] forty at once from a cold start get ten connections, and no more', async () => {
    const scene = await setUp({ kind: 'c2s', server });
    const streams = await Promise.all(
      Array.from({ length: 40 }, (_, index) => scene.pool.openStream(scene.target(REMOTE[index % 3] as string))),
    );
    const talks = streams.map((stream, index) =>
      converse(stream, { to: REMOTE[index % 3] as string }, { name: `${index}`, count: 1 }),
    );
    expect(await Promise.all(talks)).toEqual(streams.map((_, index) => [`${index}-0`]));
    expect(scene.server.connections).toHaveLength(10);
  });

  test('[QT-11] or waits until one ends, by option; others may give up meanwhile', async () => {
    const scene = await setUp({ kind: 'c2s', server, pool: { maxConnections: 1 } });
    const [first, ...others] = (await openFour(scene)) as [StanzaStream, ...StanzaStream[]];
    // The engine gives credit back only when half of what it has granted is in use at the other side.
    const talks = [first, ...others].map((one) => converse(one, { to: 'a.example' }, { name: 'one', count: 1 }));
    await Promise.all(talks);
    const controller = new AbortController();
    const givenUp = scene.pool.openStream(scene.target('a.example'), { signal: controller.signal });
    const fifth = scene.pool.openStream(scene.target('b.example'));
    controller.abort();
    await expect(givenUp).rejects.toMatchObject({ code: 'XMPP_ABORTED' });
    await expect(scene.pool.openStream(scene.target('a.example'), { waitMs: 0 })).rejects.toMatchObject({
      code: 'XMPP_LIMIT_EXCEEDED',
    });
    await expect(first.connection.openStream({ waitMs: Number.NaN })).rejects.toMatchObject({ category: 'config' });
    await first.close();
    const stream = await fifth;
    expect(stream.connection).toBe(others[0]?.connection);
    expect(await converse(stream, { to: 'b.example' }, { name: 'b', count: 1 })).toEqual(['b-0']);
    expect(scene.server.connections).toHaveLength(1);
  });

  test('[QT-11] credit is given first come, first served, also to the last of many', async () => {
    const scene = await setUp({ kind: 'c2s', server: { maxC2sStreams: 1 }, pool: { maxConnections: 1 } });
    const order: number[] = [];
    const talks = Array.from({ length: 30 }, async (_, index) => {
      const stream = await scene.pool.openStream(scene.target('a.example'));
      order.push(index);
      await converse(stream, { to: 'a.example' }, { name: `${index}`, count: 1 });
      await stream.close();
    });
    await Promise.all(talks);
    expect(order).toEqual(Array.from({ length: 30 }, (_, index) => index));
    expect(scene.server.connections).toHaveLength(1);
  });
});

describe('the connections of a pool', () => {
  test('[Q-17] one that has ended is forgotten, and the next stream gets another', async () => {
    const { server, pool, target } = await setUp({ kind: 'c2s' });
    const stream = await pool.openStream(target('a.example'));
    await converse(stream, { to: 'a.example' }, { name: 'a', count: 1 });
    server.connections[0]?.abort();
    await stream.connection.closed;
    expect(pool.connections).toEqual([]);
    const next = await pool.openStream(target('a.example'));
    expect(await converse(next, { to: 'a.example' }, { name: 'next', count: 1 })).toEqual(['next-0']);
  });

  test('[Q-17] one that its user closes is not used for further streams', async () => {
    const { pool, target } = await setUp({ kind: 'c2s' });
    const stream = await pool.openStream(target('a.example'));
    await converse(stream, { to: 'a.example' }, { name: 'a', count: 1 });
    const closing = stream.connection.close();
    const next = await pool.openStream(target('a.example'));
    expect(next.connection).not.toBe(stream.connection);
    await closing;
  });

  test('[QT-09] one without streams is closed after a time, and not while it has one', async () => {
    const { pool, target } = await setUp({ kind: 'c2s', pool: { idleTimeoutMs: 5 } });
    const first = await pool.openStream(target('a.example'));
    await converse(first, { to: 'a.example' }, { name: 'a', count: 1 });
    const second = await pool.openStream(target('b.example'));
    await first.close();
    expect(await converse(second, { to: 'b.example' }, { name: 'b', count: 3 })).toHaveLength(3);
    expect(second.connection).toBe(first.connection);
    await second.close();
    expect(await second.connection.closed).toMatchObject({ clean: true, by: 'local' });
    expect(pool.connections).toEqual([]);
  });

  test('[TC-14] one who gives up does not disturb the others of the same handshake; the last one calls it off', async () => {
    const { server, pool, target } = await setUp({ kind: 'c2s' });
    const impatient = new AbortController();
    const givenUp = pool.openStream(target('a.example'), { signal: impatient.signal });
    const patient = pool.openStream(target('a.example'));
    impatient.abort();
    await expect(givenUp).rejects.toMatchObject({ code: 'XMPP_ABORTED' });
    expect(await converse(await patient, { to: 'a.example' }, { name: 'a', count: 1 })).toEqual(['a-0']);
    expect(server.connections).toHaveLength(1);

    const alone = new AbortController();
    const calledOff = pool.openStream({ ...target('a.example'), host: '127.0.0.2' }, { signal: alone.signal });
    alone.abort();
    await expect(calledOff).rejects.toMatchObject({ code: 'XMPP_ABORTED' });
    await pool.close();
    expect(pool.connections).toEqual([]);
  });

  test('[TC-07] [TC-15] close() ends every stream by its closing handshake, and nothing can be opened after it', async () => {
    const { pool, target } = await setUp({ kind: 's2s' });
    const stream = await pool.openStream(target('a.example', 'x.example'));
    await converse(stream, { to: 'a.example', from: 'x.example' }, { name: 'x', count: 1 });
    const late = pool.openStream({ ...target('a.example', 'x.example'), host: '127.0.0.2' });
    const closing = pool.close();
    expect(pool.close()).toBe(closing);
    await expect(late).rejects.toMatchObject({ code: 'XMPP_INVALID_STATE' });
    await closing;
    expect(await stream.closed).toMatchObject({ clean: true });
    await expect(pool.openStream(target('a.example', 'x.example'))).rejects.toMatchObject({
      code: 'XMPP_INVALID_STATE',
    });
  });

  test('[TC-09] a failed handshake is told to all who wait for it, and the next attempt is a new one', async () => {
    const { server, pool, target } = await setUp({ kind: 'c2s' });
    await server.listener.close();
    const failed = await Promise.allSettled([
      pool.openStream(target('a.example')),
      pool.openStream(target('a.example')),
      pool.openStream(target('b.example')),
    ]);
    expect(failed.map((result) => result.status === 'rejected' && result.reason.code)).toEqual(
      Array.from({ length: 3 }, () => 'XMPP_REFUSED'),
    );
    const again = await servePool('c2s', [remoteCredential]);
    cleanUps.push(() => again.close());
    const stream = await pool.openStream({ ...target('a.example'), port: again.listener.address.port });
    expect(await converse(stream, { to: 'a.example' }, { name: 'a', count: 1 })).toEqual(['a-0']);
  });

  test('[Q-19] is bound by the module, and knows what our certificates prove', async () => {
    const server = await servePool('s2s', [remoteCredential]);
    const container = new Container();
    container.load(
      coreModule(),
      tlsModule({ credentials: [localCredential], trust: [(await testCa()).rootPem] }),
      quicTransportModule({ pool: { maxConnections: 2 } }),
    );
    const pool = container.get<StreamPool>(QUIC_STREAM_POOL);
    const targets = LOCAL.map((localDomain) => ({
      ...targetOf(server.listener.address, 's2s', 'a.example'),
      localDomain,
    }));
    const streams = await Promise.all(targets.map((target) => pool.openStream(target)));
    expect(new Set(streams.map(({ connection }) => connection)).size).toBe(1);
    await container.unbindAllAsync();
    expect(await streams[0]?.connection.closed).toMatchObject({ by: 'local' });
    await server.close();
  });

  test.each([
    { idleTimeoutMs: 0 },
    { idleTimeoutMs: 2 ** 31 },
    { idleTimeoutMs: Number.NaN },
    { maxConnections: 0 },
    { maxConnections: 1.5 },
  ])('[POL-01] refuses the option %o', async (options) => {
    const transport = await createQuicTransport({ domains: [] });
    expect(() => new StreamPool(transport, options)).toThrow(expect.objectContaining({ code: 'XMPP_BAD_OPTION' }));
  });

  test('[CERT-07] refuses what is no domain', async () => {
    const { pool, target } = await setUp({ kind: 's2s' });
    for (const [domain, localDomain] of [
      ['no domain', 'x.example'],
      ['a.example', 'x..example'],
    ] as const) {
      await expect(pool.openStream(target(domain, localDomain))).rejects.toMatchObject({ code: 'XMPP_BAD_OPTION' });
    }
  });
});
