import assert from 'node:assert/strict';
import type { ErrorCategory } from '@stanzaport/core';
import { assertFails, assertTyped } from './assertions.ts';
import type { CaseDefinition } from './case-definition.ts';
import { collect } from './collector.ts';
import type { Scene } from './harness.ts';

/** What connecting to a port without a listener may end with; UDP need not tell that nobody is there. */
export const NOBODY_THERE: readonly ErrorCategory[] = ['refused', 'unreachable', 'timeout'];

/** TC-01: listening, and being announced. */
export const listeningCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-01',
    title: 'listen() with port 0 gives a real address where a peer gets through',
    async run(scene) {
      const listener = await scene.listen();
      assert.ok(listener.address.port > 0 && listener.address.port < 65_536, `port ${listener.address.port}`);
      assert.equal(listener.transport, scene.pair.server.name);
      const { client, server } = await scene.connect(listener);
      assert.equal(client.transport, scene.pair.client.name);
      assert.equal(server.transport, scene.pair.server.name);
    },
  },
  {
    requirement: 'TC-01',
    title: 'a port in use is a clear error that leaves the listener there alone',
    async run(scene) {
      const listener = await scene.listen();
      const { port } = listener.address;
      const second = scene.pair.server.listen({ ...scene.pair.listenOptions, port });
      const error = await assertFails(scene.wait('the second listen()', second), 'config', 'refused');
      assert.ok(error.message.includes(String(port)), `the message names the port ${port}: ${error.message}`);
      await scene.connect(listener);
    },
  },
  {
    requirement: 'TC-01',
    title: 'a port is free again once close() has resolved',
    async run(scene) {
      let port = 0;
      for (let round = 0; round < 5; round += 1) {
        const listener = await scene.listen({ port });
        port = listener.address.port;
        await scene.connect(listener);
        await scene.wait('close()', listener.close({ drainMs: 1 }));
        assert.equal(listener.address.port, port, 'the address stays readable');
      }
    },
  },
  {
    requirement: 'TC-01',
    title: 'each connection is announced once',
    async run(scene) {
      const listener = await scene.listenOnly();
      const announced = collect(listener.connections$);
      for (let count = 1; count <= 5; count += 1) {
        await scene.connectOnly(listener);
        const connection = await scene.wait('the announcement', announced.next());
        assert.equal(connection.role, 'receiving');
        assert.equal(announced.values.length, count);
      }
      assert.equal(new Set(announced.values.map(({ id }) => id)).size, 5, 'their ids differ');
      await scene.wait('close()', listener.close({ drainMs: 1 }));
      assert.equal(announced.values.length, 5);
      assert.deepEqual(announced.endings, [{ type: 'complete' }]);
    },
  },
  {
    requirement: 'TC-01',
    title: 'what comes before anyone subscribes waits: connection, stream and stanzas',
    async run(scene) {
      const listener = await scene.listenOnly();
      const client = await scene.connectOnly(listener);
      const initiating = await scene.wait('openStream()', client.openStream());
      initiating.sendHeader({ to: scene.pair.domain });
      initiating.send('<early/>');
      const server = await scene.takeConnection(listener);
      const receiving = await scene.wait('the stream', collect(server.streams$).next());
      await scene.greet({ initiating, receiving });
      assert.equal(await scene.nextStanza(receiving), '<early/>');
    },
  },
  {
    requirement: 'TC-01',
    title: 'a connection nobody subscribes to ends by the header timeout',
    limits: { headerTimeoutMs: 150, closeTimeoutMs: 150 },
    async run(scene) {
      const listener = await scene.listenOnly();
      const silent = await scene.connectOnly(listener);
      const unheard = await scene.connectOnly(listener);
      const stream = await scene.wait('openStream()', unheard.openStream());
      stream.sendHeader({ to: scene.pair.domain });
      const streams = collect(stream.events$);
      await scene.wait('the end of the connection without a stream', silent.closed);
      await scene.wait('the end of the connection whose stream nobody reads', unheard.closed);
      await scene.wait('the end of its stream', streams.ended);
    },
  },
  {
    requirement: 'TC-01',
    title: 'use after the end is a clear error',
    limits: { handshakeTimeoutMs: 300 },
    run: useAfterTheEnd,
  },
];

async function useAfterTheEnd(scene: Scene): Promise<void> {
  const { connections, initiating, receiving } = await scene.openFirst();
  const reading = collect(receiving.events$);
  await scene.wait('stream.close()', initiating.close());
  await scene.wait('the other end to complete', reading.ended);
  for (const stream of [initiating, receiving]) {
    assert.throws(
      () => stream.send('<late/>'),
      (thrown) => assertTyped(thrown).code === 'XMPP_INVALID_STATE',
    );
  }
  await scene.wait('connection.close()', connections.client.close());
  const late = scene.wait('openStream() after the end', connections.client.openStream());
  assert.equal((await assertFails(late, 'config')).code, 'XMPP_INVALID_STATE');

  const listener = await scene.listener();
  await scene.wait('listener.close()', listener.close({ drainMs: 1 }));
  const { client, domain } = scene.pair;
  const refused = client.connect(scene.pair.target(listener.address, domain, 'c2s'));
  await assertFails(scene.wait('connect() to a closed listener', refused), ...NOBODY_THERE);
}
