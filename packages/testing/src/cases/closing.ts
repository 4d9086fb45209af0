import assert from 'node:assert/strict';
import { StreamError, TransportError } from '@stanzaport/core';
import { assertCategory, assertClosed, assertErrored, assertFails } from './assertions.ts';
import { type CaseDefinition, needsManyStreams } from './case-definition.ts';
import { collect } from './collector.ts';
import type { Scene } from './harness.ts';
import { jam, messageOf, sendAll } from './traffic.ts';

/** TC-05 and TC-06: closing politely, and ending at once. */
export const closingCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-05',
    title: 'close() ends both sides cleanly, whoever calls it',
    async run(scene) {
      const connections = await scene.connect();
      for (const closer of ['initiating', 'receiving'] as const) {
        const streams = await scene.openNeighbour(connections);
        const other = closer === 'initiating' ? streams.receiving : streams.initiating;
        const reading = collect(other.events$);
        await scene.wait('close()', streams[closer].close());
        await assertClosed(streams[closer].closed, { clean: true, by: 'local' });
        await assertClosed(scene.wait('the other side to close', other.closed), { clean: true, by: 'peer' });
        assert.deepEqual(await scene.wait('its observable', reading.ended), { type: 'complete' });
        assert.equal(reading.values.at(-1)?.type, 'close');
      }
    },
  },
  {
    requirement: 'TC-05',
    title: 'what was queued when close() was called is delivered before the end',
    async run(scene) {
      const { initiating, receiving } = await scene.openFirst();
      const reading = collect(receiving.stanzas$);
      for (let id = 0; id < 1_000; id += 1) initiating.send(messageOf(500, id));
      await scene.wait('close()', initiating.close());
      assert.deepEqual(await scene.wait('the end at the other side', reading.ended), { type: 'complete' });
      assert.equal(reading.values.length, 1_000);
      await assertClosed(initiating.closed, { clean: true });
    },
  },
  {
    requirement: 'TC-05',
    title: 'what the peer sends before its own closing tag still arrives',
    async run(scene) {
      const { initiating, receiving } = await scene.openFirst();
      const reading = collect(initiating.stanzas$);
      const closing = initiating.close();
      await sendAll(
        scene,
        receiving,
        Array.from({ length: 16 }, (_, id) => messageOf(65_536, id)),
      );
      const end = collect(receiving.events$).ended;
      await scene.wait('close()', closing);
      assert.equal(reading.values.length, 16);
      await assertClosed(initiating.closed, { clean: true, by: 'local' });
      await scene.wait('the other side to end', end);
      await assertClosed(receiving.closed, { clean: true, by: 'peer' });
    },
  },
  {
    requirement: 'TC-05',
    title: 'a peer that does not answer is waited for until the close timeout, and that is no clean end',
    limits: { closeTimeoutMs: 150 },
    async run(scene) {
      const { initiating } = await scene.openFirst();
      await scene.wait('close()', initiating.close());
      await assertClosed(initiating.closed, { clean: false, categories: ['timeout'] });
    },
  },
  {
    requirement: 'TC-05',
    title: 'closing a connection closes its streams by their handshakes, then the connection, at both sides',
    async run(scene) {
      const connections = await scene.connect();
      const count = Math.min(5, scene.capabilities.streamsPerConnection);
      const ends = [];
      for (let index = 0; index < count; index += 1) {
        const { initiating, receiving } = await scene.openStream(connections);
        initiating.send(messageOf(100, index));
        ends.push({ initiating, receiving, reading: collect(receiving.stanzas$) });
      }
      await scene.wait('connection.close()', connections.client.close());
      for (const { initiating, receiving, reading } of ends) {
        await scene.wait('the end of a stream', reading.ended);
        assert.equal(reading.values.length, 1);
        await assertClosed(initiating.closed, { clean: true });
        await assertClosed(receiving.closed, { clean: true });
      }
      await assertClosed(connections.client.closed, { clean: true, by: 'local' });
      await assertClosed(scene.wait('the other side', connections.server.closed), { clean: true, by: 'peer' });
      assert.deepEqual(await connections.streams.ended, { type: 'complete' });
    },
  },
  {
    requirement: 'TC-06',
    title: 'abort() tells the peer the condition, and every local waiter the error',
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      const neighbour = await scene.openNeighbour(connections);
      const local = collect(initiating.events$);
      const peer = collect(receiving.events$);
      const error = new StreamError('conflict', { text: 'replaced <here>' });
      initiating.abort(error);
      initiating.abort(new StreamError('reset'));
      assert.equal(assertErrored(await scene.wait('the local observable', local.ended), 'xml'), error);
      await assertClosed(initiating.closed, { clean: false, by: 'local' });
      assert.equal((await initiating.closed).error, error);
      const seen = assertErrored(await scene.wait("the peer's observable", peer.ended), 'peer-error') as StreamError;
      assert.equal(seen.condition, 'conflict');
      assert.equal(seen.text, 'replaced <here>');
      await assertClosed(receiving.closed, { clean: false, by: 'peer', categories: ['peer-error'] });
      await scene.roundTrip(neighbour);
    },
  },
  {
    requirement: 'TC-06',
    title: 'abort() of a stream whose peer does not read gives up after the close timeout; the peer sees no clean end',
    limits: { closeTimeoutMs: 200, sendHighWaterMarkBytes: 65_536 },
    run: abortUnread,
  },
  {
    requirement: 'TC-06',
    title: 'aborting a connection ends all streams at once, at both sides and never cleanly',
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      const readers = [initiating, receiving].map(({ events$ }) => collect(events$));
      const error = new TransportError('XMPP_SHUTDOWN', 'enough');
      connections.client.abort(error);
      connections.client.abort();
      assert.equal((await scene.wait('connection.closed', connections.client.closed)).error, error);
      for (const reader of readers) {
        const ending = await scene.wait('a stream to end', reader.ended);
        assert.equal(ending.type, 'error');
      }
      await assertClosed(initiating.closed, { clean: false, categories: ['shutdown'] });
      await assertClosed(receiving.closed, { clean: false, by: 'peer', categories: ['peer-reset', 'peer-closed'] });
      const peer = await scene.wait('the other side', connections.server.closed);
      assert.equal(peer.clean, false);
      assertCategory(peer.error, 'peer-reset', 'peer-closed', 'peer-error');
      assertErrored(await connections.streams.ended, peer.error?.category ?? 'peer-reset');
    },
  },
  {
    requirement: 'TC-06',
    title: 'the end of one stream does not disturb the others of its connection',
    skipFor: needsManyStreams,
    async run(scene) {
      const connections = await scene.connect();
      const neighbour = await scene.openStream(connections);
      const ways = ['close', 'abort', 'peer-close', 'peer-abort'] as const;
      for (const way of ways) {
        const { initiating, receiving } = await scene.openStream(connections);
        const readers = [initiating, receiving].map(({ events$ }) => collect(events$));
        const stream = way.startsWith('peer') ? receiving : initiating;
        if (way.endsWith('abort')) stream.abort(new StreamError('policy-violation'));
        else void stream.close();
        for (const reader of readers) await scene.wait(`both sides to end after ${way}`, reader.ended);
        await scene.roundTrip(neighbour);
      }
    },
  },
];

async function abortUnread(scene: Scene): Promise<void> {
  const { connections, initiating, receiving } = await scene.openFirst();
  const neighbour = await scene.openNeighbour(connections);
  await jam(scene, initiating, neighbour);
  const drained = assertFails(scene.wait('drained() to reject', initiating.drained()), 'limit');
  initiating.abort(new StreamError('policy-violation'));
  await drained;
  await scene.wait('the stream to be released', initiating.close());
  await scene.roundTrip(neighbour);
  const reading = collect(receiving.events$);
  assertErrored(await scene.wait("the peer's end", reading.ended), 'peer-error', 'peer-reset', 'peer-closed');
  await assertClosed(receiving.closed, { clean: false });
}
