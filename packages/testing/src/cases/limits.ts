import assert from 'node:assert/strict';
import type { StreamError, StreamErrorCondition } from '@stanzaport/core';
import { assertClosed, assertErrored, assertFails } from './assertions.ts';
import { type CaseDefinition, needsManyStreams, needsRawPeer } from './case-definition.ts';
import { collect } from './collector.ts';
import type { Scene, StreamPair } from './harness.ts';
import { headerText, textOf } from './raw-text.ts';
import { messageOf } from './traffic.ts';

const SMALLEST_STANZA_LIMIT = 10_000;

/** TC-12: limits hold, whatever the user does. */
export const limitCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-12',
    title: 'a stanza of exactly the limit is delivered, one byte more is policy-violation',
    limits: { maxStanzaBytes: SMALLEST_STANZA_LIMIT },
    async run(scene) {
      const streams = await scene.openFirst();
      const { connections, initiating, receiving } = streams;
      const neighbour = await scene.openNeighbour(connections);
      initiating.send(messageOf(SMALLEST_STANZA_LIMIT));
      assert.equal((await scene.nextStanza(receiving)).length, SMALLEST_STANZA_LIMIT);
      initiating.send(messageOf(SMALLEST_STANZA_LIMIT + 1));
      await assertRefused(scene, streams, 'policy-violation', 'limit');
      await scene.roundTrip(neighbour);
    },
  },
  {
    requirement: 'TC-12',
    title: 'the limits hold for what the initiating side receives, too',
    limits: { maxStanzaBytes: SMALLEST_STANZA_LIMIT },
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      const neighbour = await scene.openNeighbour(connections);
      receiving.send(messageOf(SMALLEST_STANZA_LIMIT + 1));
      await assertRefused(scene, { initiating: receiving, receiving: initiating }, 'policy-violation', 'limit');
      await scene.roundTrip(neighbour);
    },
  },
  {
    requirement: 'TC-12',
    title: 'before authentication the smaller limit holds',
    limits: { maxUnauthenticatedStanzaBytes: SMALLEST_STANZA_LIMIT },
    async run(scene) {
      const streams = await openUnauthenticated(scene);
      streams.initiating.send(
        `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${'x'.repeat(SMALLEST_STANZA_LIMIT)}</auth>`,
      );
      await assertRefused(scene, streams, 'policy-violation', 'limit');
    },
  },
  {
    requirement: 'TC-12',
    title: 'a stanza before authentication is not-authorized',
    async run(scene) {
      const streams = await openUnauthenticated(scene);
      streams.initiating.send('<message/>');
      await assertRefused(scene, streams, 'not-authorized', 'xml');
    },
  },
  {
    requirement: 'TC-12',
    title: 'elements that are nested too deeply are policy-violation',
    limits: { maxDepth: 10 },
    async run(scene) {
      const streams = await scene.openFirst();
      streams.initiating.send(`<message>${'<x>'.repeat(9)}${'</x>'.repeat(9)}</message>`);
      await assertRefused(scene, streams, 'policy-violation', 'limit');
    },
  },
  {
    requirement: 'TC-12',
    title: 'who does not authenticate in time gets connection-timeout; neighbours stay',
    limits: { authenticationTimeoutMs: 300 },
    async run(scene) {
      const connections = await scene.connect();
      const neighbour = await scene.openNeighbour(connections);
      const streams = await openUnauthenticated(scene);
      await assertRefused(scene, streams, 'connection-timeout', 'timeout');
      await scene.roundTrip(neighbour);
    },
  },
  {
    requirement: 'TC-12',
    title: 'a header that is not complete in time gets connection-timeout',
    limits: { headerTimeoutMs: 150 },
    skipFor: needsRawPeer,
    async run(scene) {
      const { bytes } = await scene.openRaw();
      const answer = textOf(bytes);
      bytes.write('<?xml version');
      const stream = await scene.takeRaw();
      const reading = collect(stream.events$);
      assertErrored(await scene.wait('the stream to end', reading.ended), 'timeout');
      bytes.end();
      assert.match(await scene.wait('the answer', answer), /<stream:error><connection-timeout .*<\/stream:stream>$/s);
    },
  },
  {
    requirement: 'TC-12',
    title: 'a header that is too long is policy-violation',
    limits: { maxHeaderBytes: 500 },
    skipFor: needsRawPeer,
    async run(scene) {
      const { bytes } = await scene.openRaw();
      const answer = textOf(bytes);
      bytes.write(`${headerText(scene.pair.domain).slice(0, -1)} xmlns:x='${'x'.repeat(500)}'>`);
      const reading = collect((await scene.takeRaw()).events$);
      assertErrored(await scene.wait('the stream to end', reading.ended), 'limit');
      bytes.end();
      assert.match(await scene.wait('the answer', answer), /<stream:error><policy-violation .*<\/stream:stream>$/s);
    },
  },
  {
    requirement: 'TC-12',
    title: 'a stream beyond those the peer grants is limit, or waits; the others go on, and an end makes room',
    run: oneStreamTooMany,
  },
  {
    requirement: 'TC-12',
    title: 'the end of a stream gives its place back',
    skipFor: needsManyStreams,
    async run(scene) {
      const connections = await scene.connect();
      const count = Math.min(500, 2 * scene.capabilities.streamsPerConnection + 1);
      for (let index = 0; index < count; index += 1) {
        const { initiating, receiving } = await scene.openStream(connections);
        const reading = collect(receiving.events$);
        await scene.wait(`close() of stream ${index}`, initiating.close());
        await scene.wait('the other side', reading.ended);
      }
    },
  },
];

/** A stream with both headers, whose initiating entity is not authenticated. */
async function openUnauthenticated(scene: Scene): Promise<StreamPair> {
  const streams = await scene.openUnread(await scene.connect());
  assert.equal((await scene.nextEvent(streams.receiving)).type, 'header');
  streams.receiving.sendHeader();
  assert.equal((await scene.nextEvent(streams.initiating)).type, 'header');
  return streams;
}

/** The receiving side ends with `category`, the initiating one is told `condition`. */
async function assertRefused(
  scene: Scene,
  { initiating, receiving }: StreamPair,
  condition: StreamErrorCondition,
  category: 'limit' | 'xml' | 'timeout',
): Promise<void> {
  const local = collect(receiving.events$);
  const peer = collect(initiating.events$);
  assertErrored(await scene.wait('the stream to end', local.ended), category);
  assert.deepEqual(local.values, [], 'nothing of it was delivered');
  await assertClosed(receiving.closed, { clean: false, by: 'peer', categories: [category] });
  const error = assertErrored(await scene.wait("the peer's end", peer.ended), 'peer-error') as StreamError;
  assert.equal(error.condition, condition);
}

async function oneStreamTooMany(scene: Scene): Promise<void> {
  const connections = await scene.connect();
  const granted = scene.capabilities.streamsPerConnection;
  const streams: StreamPair[] = [];
  for (let count = 0; count < granted; count += 1) streams.push(await scene.openStream(connections));
  const [first] = streams;
  assert.ok(first !== undefined, 'at least one stream is granted');
  const giveUp = new AbortController();
  const oneMore = assertFails(connections.client.openStream({ signal: giveUp.signal }), 'limit', 'aborted');
  await scene.roundTrip(first);
  giveUp.abort();
  await scene.wait('the stream too many to fail', oneMore);
  for (const pair of streams) await scene.roundTrip(pair);
  if (granted === 1) return;
  const reading = collect(first.receiving.events$);
  await scene.wait('close()', first.initiating.close());
  await scene.wait('the other side', reading.ended);
  await scene.roundTrip(await scene.openStream(connections));
}
