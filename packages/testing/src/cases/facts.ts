import assert from 'node:assert/strict';
import { type Connection, type ConnectionSecurity, type NetworkPath, NO_TLS } from '@stanzaport/core';
import type { CaseDefinition } from './case-definition.ts';
import { collect } from './collector.ts';
import type { ConnectionPair, Scene } from './harness.ts';

const ALPN = { c2s: 'xmpp-client', s2s: 'xmpp-server' } as const;

const FACTS = Object.keys(NO_TLS) as (keyof ConnectionSecurity)[];

/** What one handshake has settled for both sides. */
const SHARED_FACTS = ['tlsVersion', 'cipher', 'alpn', 'sni', 'ech', 'resumed', 'earlyData'] as const;

/** TC-10: the facts of a connection mean the same on every transport. */
export const factCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-10',
    title: 'both sides of a c2s connection know its facts',
    async run(scene) {
      await assertFacts(scene, await scene.connect(), 'c2s');
    },
  },
  {
    requirement: 'TC-10',
    title: 'both sides of an s2s connection know its facts',
    skipFor: ({ kinds }) => (kinds.includes('s2s') ? null : 'there are no s2s connections'),
    async run(scene) {
      const listener = await scene.listen({ kinds: ['s2s'] });
      await assertFacts(scene, await scene.connect(listener, 's2s'), 's2s');
    },
  },
  {
    requirement: 'TC-10',
    title: 'a listener of both kinds knows of each connection which it is',
    skipFor: ({ kinds }) => (kinds.length > 1 ? null : 'there is one kind only'),
    async run(scene) {
      const listener = await scene.listen({ kinds: ['c2s', 's2s'] });
      for (const kind of ['s2s', 'c2s'] as const) {
        const connections = await scene.connect(listener, kind);
        await assertFacts(scene, connections, kind);
        await scene.roundTrip(await scene.openStream(connections));
      }
    },
  },
  {
    requirement: 'TC-10',
    title: 'each identity gets a verdict of its own, the same again after the end, as channel bindings are',
    async run(scene) {
      const { client, server } = await scene.connect();
      const ask = (): readonly unknown[] =>
        [client, server].flatMap(({ security }) => [
          ...[scene.pair.domain, 'not-served.example'].map((domain) =>
            security.verify({ domain, purpose: 'c2s-server' }),
          ),
          ...hex(security.channelBindings.flatMap((type) => security.channelBinding(type) ?? [])),
        ]);
      const answers = ask();
      for (const { security } of [client, server]) {
        const other = security.verify({ domain: 'not-served.example', purpose: 'c2s-server' });
        assert.ok(!other.verified, 'a domain that nobody proved');
        assert.equal(other.domain, 'not-served.example');
        assert.ok(Number.isInteger(other.alert) && other.reason !== undefined && other.detail !== '', 'says why');
        for (const type of security.channelBindings) security.channelBinding(type)?.fill(0);
      }
      assert.deepEqual(ask(), answers, 'nobody can change what others are told');
      await scene.wait('close()', client.close());
      await scene.wait('the other side', server.closed);
      assert.deepEqual(ask(), answers, 'facts stay after the end');
    },
  },
  {
    requirement: 'TC-10',
    title: 'path$ gives the current addresses at once, mirrored at the other side, and completes at the end',
    async run(scene) {
      const listener = await scene.listen();
      const { client, server } = await scene.connect(listener);
      const paths = [client, server].map(({ path$ }) => collect(path$));
      const [clientPath, serverPath] = paths.map(({ values: [path] }) => path ?? assert.fail('no path at once')) as [
        NetworkPath,
        NetworkPath,
      ];
      assert.equal(clientPath.remote.port, listener.address.port);
      assert.equal(serverPath.local.port, listener.address.port);
      assert.equal(serverPath.remote.port, clientPath.local.port);
      await scene.wait('close()', client.close());
      for (const path of paths) {
        assert.deepEqual(await scene.wait('path$ to complete', path.ended), { type: 'complete' });
        assert.equal(path.values.length, 1);
      }
    },
  },
  {
    requirement: 'TC-10',
    title: 'all streams of a connection show its facts, also after the end',
    async run(scene) {
      const connections = await scene.connect();
      const { client, server } = connections;
      const facts = [describe(client), describe(server)];
      const ids = new Set<string>();
      const count = Math.min(3, scene.capabilities.streamsPerConnection);
      for (let index = 0; index < count; index += 1) {
        const { initiating, receiving } = await scene.openStream(connections);
        assert.equal(initiating.connection, client);
        assert.equal(receiving.connection, server);
        assert.equal(initiating.role, 'initiating');
        assert.equal(receiving.role, 'receiving');
        assert.deepEqual([initiating.early, receiving.early], [false, false]);
        assert.equal(receiving.header?.to, scene.pair.domain);
        assert.equal(initiating.header?.from, scene.pair.domain);
        ids.add(initiating.id);
        assert.deepEqual([describe(client), describe(server)], facts);
        collect(receiving.events$);
      }
      assert.equal(ids.size, count, "the streams' ids differ");
      await scene.wait('close()', client.close());
      await scene.wait('the other side', server.closed);
      assert.deepEqual([describe(client), describe(server)], facts);
    },
  },
];

async function assertFacts(scene: Scene, connections: ConnectionPair, kind: 'c2s' | 's2s'): Promise<void> {
  const { client, server } = connections;
  assert.equal(client.role, 'initiating');
  assert.equal(server.role, 'receiving');
  assert.notEqual(client.id, server.id, 'ids are unique in the process');
  assert.equal(client.transport, scene.pair.client.name);
  assert.equal(server.transport, scene.pair.server.name);
  for (const { security, kind: actual, handshakeCompleted } of [client, server]) {
    assert.equal(actual, kind);
    assert.equal(await scene.wait('handshakeCompleted', handshakeCompleted), true);
    for (const name of FACTS) assert.notEqual(security[name], undefined, `${name} is null where it is not known`);
    if (security.tlsVersion === null) assert.deepEqual([security.cipher, ...security.channelBindings], [null]);
    else assert.notEqual(security.cipher, '');
    assert.notEqual(security.resumed, null);
    assert.notEqual(security.earlyData, 'pending');
    assert.ok(security.alpn === null || security.alpn === ALPN[kind], `ALPN ${security.alpn}`);
    assert.ok(security.sni === null || security.sni === scene.pair.domain, `SNI ${security.sni}`);
    for (const certificate of security.peerCertificates) assert.ok(certificate instanceof Uint8Array);
    assert.deepEqual(security.dangers, []);
    assert.equal(security.channelBinding('no-such-type'), null);
  }
  for (const name of SHARED_FACTS) assert.equal(client.security[name], server.security[name], `both know one ${name}`);
  assert.deepEqual(hex(client.security.peerCertificates), hex(server.security.localCertificates));
  // A server need not ask for what the client has.
  const presented = hex(server.security.peerCertificates);
  if (presented.length > 0) assert.deepEqual(presented, hex(client.security.localCertificates));
  for (const type of client.security.channelBindings) {
    const data = client.security.channelBinding(type);
    assert.ok(data !== null && data.length > 0, `channel binding ${type}`);
    assert.deepEqual(server.security.channelBinding(type), data, `channel binding ${type} is equal at both sides`);
  }
  if (!scene.capabilities.provesDomain) return;
  const { verdict } = client.security;
  assert.ok(verdict?.verified, 'the server has proved its domain');
  assert.equal(verdict.domain, scene.pair.domain);
  const other = client.security.verify({ domain: 'not-served.example', purpose: `${kind}-server` });
  assert.equal(other.verified, false, 'and no other one');
}

function describe({ id, transport, kind, role, security }: Connection): object {
  return { id, transport, kind, role, ...security, verify: null, channelBinding: null };
}

function hex(all: readonly Uint8Array[]): readonly string[] {
  return all.map((bytes) => Buffer.from(bytes).toString('hex'));
}
