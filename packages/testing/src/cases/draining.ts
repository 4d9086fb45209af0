import assert from 'node:assert/strict';
import { type StreamError, silentLogger, TransportHub } from '@stanzaport/core';
import { assertCategory, assertClosed, assertErrored, assertFails } from './assertions.ts';
import type { CaseDefinition } from './case-definition.ts';
import { type Collector, collect } from './collector.ts';
import type { ConnectionPair, Scene, StreamPair } from './harness.ts';
import { NOBODY_THERE } from './listening.ts';
import { jam, messageOf } from './traffic.ts';

const IDLE_STREAMS = 100;

/** TC-15: stopping in good order. */
export const drainingCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-15',
    title: 'a listener with 100 idle streams closes after their closing handshakes, cleanly everywhere',
    async run(scene) {
      const listener = await scene.listen();
      const { streams, connections } = await openMany(scene, IDLE_STREAMS);
      const readers = streams.map(({ initiating }) => collect(initiating.events$));
      await scene.wait('listener.close()', listener.close({ drainMs: 10_000 }));
      for (const { receiving } of streams) await assertClosed(receiving.closed, { clean: true, by: 'local' });
      for (const reader of readers) {
        assert.deepEqual(await scene.wait('a client stream to end', reader.ended), { type: 'complete' });
      }
      for (const { client, server } of connections) {
        await assertClosed(server.closed, { clean: true });
        await assertClosed(scene.wait('a client connection to end', client.closed), { clean: true, by: 'peer' });
      }
    },
  },
  {
    requirement: 'TC-15',
    title: 'what was sent before is delivered, and nothing new is accepted',
    limits: { handshakeTimeoutMs: 300 },
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      const listener = await scene.listener();
      const reading = collect(initiating.stanzas$);
      for (let id = 0; id < 100; id += 1) receiving.send(messageOf(1_000, id));
      const closing = listener.close();
      const { client, domain } = scene.pair;
      const late = client.connect(scene.pair.target(listener.address, domain, 'c2s'));
      await assertFails(scene.wait('a late connect()', late), ...NOBODY_THERE, 'peer-reset', 'peer-closed');
      await scene.wait('listener.close()', closing);
      await scene.wait('the stream to end', reading.ended);
      assert.equal(reading.values.length, 100);
      await assertFails(connections.server.openStream(), 'config', 'limit');
    },
  },
  {
    requirement: 'TC-15',
    title: 'a stream that hangs is cut at the deadline, also when its connection is closing; the others end cleanly',
    // Far beyond the time of a case, so that only the deadline can end it.
    limits: { closeTimeoutMs: 600_000 },
    async run(scene) {
      const listener = await scene.listen();
      const hanging = await scene.openStream(await scene.connect(listener));
      const closing = await scene.connect(listener);
      await scene.openStream(closing);
      void closing.server.close();
      const good = await scene.openStream(await scene.connect(listener));
      const reading = collect(good.initiating.events$);
      await scene.wait('listener.close()', listener.close({ drainMs: 200 }));
      await assertClosed(good.receiving.closed, { clean: true });
      assert.deepEqual(await scene.wait('the good client', reading.ended), { type: 'complete' });
      const { clean, error } = await scene.wait('the hanging stream', hanging.receiving.closed);
      assert.equal(clean, false);
      assertCategory(error, 'shutdown', 'timeout');
      await scene.wait('the connection that was closing', closing.server.closed);
      const late = collect(hanging.initiating.events$);
      await scene.wait('the client of the hanging stream', late.ended);
    },
  },
  {
    requirement: 'TC-15',
    title:
      'of one listener, the idle stream ends cleanly, the busy one after all it had sent, the jammed one at the deadline',
    limits: { closeTimeoutMs: 600_000, sendHighWaterMarkBytes: 65_536, maxSendQueueBytes: 8_388_608 },
    run: idleBusyAndJammed,
  },
  {
    requirement: 'TC-15',
    title: 'with drainMs 0 every stream is told system-shutdown at once, and nothing is waited for',
    limits: { closeTimeoutMs: 600_000 },
    async run(scene) {
      const listener = await scene.listen();
      const { initiating, receiving } = await scene.openStream(await scene.connect(listener));
      const silent = await scene.openStream(await scene.connect(listener));
      const reading = collect(initiating.events$);
      await scene.wait('listener.close()', listener.close({ drainMs: 0 }));
      const error = assertErrored(await scene.wait('the client', reading.ended), 'peer-error') as StreamError;
      assert.equal(error.condition, 'system-shutdown');
      for (const { closed } of [receiving, silent.receiving]) await assertClosed(closed, { clean: false, by: 'local' });
      const late = collect(silent.initiating.events$);
      assertErrored(await scene.wait('the silent client', late.ended), 'peer-error', 'peer-reset', 'peer-closed');
    },
  },
  {
    requirement: 'TC-15',
    title: 'TransportHub.stop() drains what the hub has started',
    async run(scene) {
      const { server, client, domain, listenOptions } = scene.pair;
      const hub = new TransportHub([{ transport: server, listen: [{ ...listenOptions, port: 0 }] }], silentLogger);
      const streams = collect(hub.streams$);
      const connections = collect(hub.connections$);
      await scene.wait('start()', hub.start());
      const [listener] = hub.listeners;
      assert.ok(listener !== undefined, 'the hub has started its listener');
      const connection = await scene.wait(
        'connect()',
        client.connect(scene.pair.target(listener.address, domain, 'c2s')),
      );
      const initiating = await connection.openStream();
      initiating.sendHeader({ to: domain });
      const receiving = await scene.wait('the stream at the hub', streams.next());
      await scene.greet({ initiating, receiving });
      const reading: Collector<unknown> = collect(initiating.events$);
      await scene.wait('stop()', Promise.all([hub.stop(), hub.stop(), hub[Symbol.asyncDispose]()]));
      await scene.wait('the client', reading.ended);
      await assertClosed(initiating.closed, { clean: true, by: 'peer' });
      await scene.wait('the connection', connection.closed);
      for (const { ended } of [streams, connections]) {
        assert.deepEqual(await scene.wait('the hub to complete', ended), { type: 'complete' });
      }
    },
  },
];

async function idleBusyAndJammed(scene: Scene): Promise<void> {
  const listener = await scene.listen();
  const idle = await scene.openStream(await scene.connect(listener));
  const busy = await scene.openStream(await scene.connect(listener));
  const jammed = await scene.openStream(await scene.connect(listener));
  await jam(scene, jammed.receiving, idle);
  const idling = collect(idle.initiating.events$);
  const texts = Array.from({ length: 200 }, (_, id) => messageOf(16_384, id));
  for (const text of texts) busy.receiving.send(text);
  const taken: string[] = [];
  const consuming = busy.initiating.consume(async ({ source }) => {
    await new Promise((resolve) => setImmediate(resolve));
    taken.push(source);
  });
  // Awaited below, if nothing else fails before.
  consuming.catch(() => undefined);
  await scene.wait('listener.close()', listener.close({ drainMs: 2_000 }));
  assert.deepEqual(await scene.wait('the idle client', idling.ended), { type: 'complete' });
  await scene.wait('the busy client', consuming);
  assert.deepEqual(taken, texts);
  for (const { receiving } of [idle, busy]) await assertClosed(receiving.closed, { clean: true, by: 'local' });
  const { error } = await scene.wait('the jammed stream', jammed.receiving.closed);
  assertCategory(error, 'shutdown', 'timeout');
  const late = collect(jammed.initiating.events$);
  assertErrored(await scene.wait('its client', late.ended), 'peer-error', 'peer-reset', 'peer-closed');
}

async function openMany(
  scene: Scene,
  count: number,
): Promise<{ streams: readonly StreamPair[]; connections: readonly ConnectionPair[] }> {
  const streams: StreamPair[] = [];
  const connections: ConnectionPair[] = [];
  const each = Math.min(scene.capabilities.streamsPerConnection, 25);
  while (streams.length < count) {
    const connection = await scene.connect();
    connections.push(connection);
    for (let index = 0; index < each && streams.length < count; index += 1) {
      streams.push(await scene.openStream(connection));
    }
  }
  return { streams, connections };
}
