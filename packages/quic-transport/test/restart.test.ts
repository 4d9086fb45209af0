import { randomBytes } from 'node:crypto';
import { isMigratable } from '@stanzaport/core';
import { expect, test } from 'vitest';
import { AttackVictim } from './tools/attack-victim.ts';
import { createQuicTransport, DOMAIN, headerOf, targetOf } from './tools/quic-pair.ts';

test('[QT-07] the server is killed and started again with the same key: the next packet ends all streams as peer-reset', async () => {
  const staticKey = randomBytes(32);
  const before = await AttackVictim.start({ options: { staticKey } });
  const { port } = before;
  const transport = await createQuicTransport({ domains: [] });
  const connection = await transport.connect(targetOf({ family: 'IPv4', address: '127.0.0.1', port }));
  const streams = [];
  for (let count = 0; count < 3; count++) {
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    await headerOf(stream);
    streams.push(stream);
  }
  await before.kill();
  const after = await AttackVictim.start({ options: { staticKey }, port });
  streams[0]?.send("<message to='nobody'/>");
  for (const stream of streams) expect(await stream.closed).toMatchObject({ error: { category: 'peer-reset' } });
  expect(await connection.closed).toMatchObject({ clean: false, by: 'peer', error: { code: 'XMPP_PEER_RESET' } });
  // One packet and its answer; another one where the probe timeout came first.
  const { counters } = await after.report();
  expect(counters.received).toBeLessThanOrEqual(3);
  expect(counters).toMatchObject({ statelessResets: counters.received, unknownConnection: counters.received });
  await connection.close();
  await after.close();
});

test('[QT-07] a server that is started again ends also a connection that has migrated, after three probe timeouts', async () => {
  const staticKey = randomBytes(32);
  const before = await AttackVictim.start({ options: { staticKey } });
  const { port } = before;
  const transport = await createQuicTransport({ domains: [] });
  const connection = await transport.connect(targetOf({ family: 'IPv4', address: '127.0.0.1', port }));
  if (!isMigratable(connection)) throw new Error('this connection cannot migrate');
  const stream = await connection.openStream();
  stream.sendHeader({ to: DOMAIN });
  await headerOf(stream);
  // From now on it goes by another connection ID, whose reset token the engine does not know.
  await connection.migrate({ localAddress: '127.0.0.2' });
  await before.kill();
  const after = await AttackVictim.start({ options: { staticKey }, port });
  stream.send("<message to='nobody'/>");
  expect(await stream.closed).toMatchObject({ clean: false, error: { category: 'peer-reset' } });
  await connection.close();
  await after.close();
});

test('[QT-07] with another key the reset is none for the peer, which finds out by itself', async () => {
  const before = await AttackVictim.start({ options: { staticKey: randomBytes(32) } });
  const { port } = before;
  const transport = await createQuicTransport({ domains: [] });
  const connection = await transport.connect(targetOf({ family: 'IPv4', address: '127.0.0.1', port }));
  const stream = await connection.openStream();
  stream.sendHeader({ to: DOMAIN });
  await headerOf(stream);
  await before.kill();
  const after = await AttackVictim.start({ options: { staticKey: randomBytes(32) }, port });
  stream.send("<message to='nobody'/>");
  expect(await connection.closed).toMatchObject({ clean: false, error: { category: 'peer-reset' } });
  expect((await after.report()).counters.statelessResets).toBeGreaterThan(0);
  await connection.close();
  await after.close();
});
