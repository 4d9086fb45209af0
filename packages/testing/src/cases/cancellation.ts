import assert from 'node:assert/strict';
import type { Connection, StanzaStream } from '@stanzaport/core';
import { assertFails, assertTyped } from './assertions.ts';
import type { CaseDefinition } from './case-definition.ts';
import type { Scene } from './harness.ts';
import { jam, take } from './traffic.ts';

/** Turns of the event loop after which connecting is given up; further ones find it done. */
const LATEST_TURN = 12;

/** TC-14: whatever waits can be called off. */
export const cancellationCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-14',
    title: 'connect() called off before or at any stage is aborted, or done; the other side keeps nothing',
    run: connectCalledOff,
  },
  {
    requirement: 'TC-14',
    title: 'openStream() with an aborted signal is aborted and takes no place',
    async run(scene) {
      const connections = await scene.connect();
      for (let count = 0; count < 2 * Math.min(50, scene.capabilities.streamsPerConnection); count += 1) {
        const opening = connections.client.openStream({ signal: AbortSignal.abort() });
        await assertFails(scene.wait('openStream()', opening), 'aborted');
      }
      await scene.roundTrip(await scene.openStream(connections));
      assert.equal(connections.streams.values.length, 1, 'the peer saw one stream');
    },
  },
  {
    requirement: 'TC-14',
    title: 'drained() called off is aborted; the stream goes on',
    limits: { sendHighWaterMarkBytes: 65_536 },
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      const neighbour = await scene.openNeighbour(connections);
      const { sent } = await jam(scene, initiating, neighbour);
      await assertFails(initiating.drained({ signal: AbortSignal.abort() }), 'aborted');
      const controller = new AbortController();
      const drained = assertFails(scene.wait('drained()', initiating.drained(controller)), 'aborted');
      controller.abort();
      await drained;
      await take(scene, receiving, sent);
      await scene.wait('drained()', initiating.drained());
    },
  },
  {
    requirement: 'TC-14',
    title: 'consume() called off while it waits is aborted; the next consumer goes on',
    async run(scene) {
      const { initiating, receiving } = await scene.openFirst();
      await assertFails(
        receiving.consume(() => undefined, { signal: AbortSignal.abort() }),
        'aborted',
      );
      const controller = new AbortController();
      const consuming = assertFails(
        scene.wait(
          'consume()',
          receiving.consume(() => undefined, controller),
        ),
        'aborted',
      );
      controller.abort();
      await consuming;
      initiating.send('<next/>');
      assert.equal(await scene.nextStanza(receiving), '<next/>');
    },
  },
];

async function connectCalledOff(scene: Scene): Promise<void> {
  const listener = await scene.listenOnly();
  const announced: Connection[] = [];
  const greeted = new Promise<Connection>((resolve) => {
    listener.connections$.subscribe((server) => {
      announced.push(server);
      const ignored = { error: () => undefined };
      const onStream = ({ events$ }: StanzaStream): unknown =>
        events$.subscribe({ ...ignored, next: () => resolve(server) });
      server.streams$.subscribe({ ...ignored, next: onStream });
    });
  });
  const { client, domain } = scene.pair;
  const target = scene.pair.target(listener.address, domain, 'c2s');
  await assertFails(scene.wait('connect()', client.connect(target, { signal: AbortSignal.abort() })), 'aborted');

  for (let turns = 0; turns <= LATEST_TURN; turns += 1) {
    const controller = new AbortController();
    const outcome = client.connect(target, controller).then(
      (connection) => ({ connection, error: null }),
      (error: unknown) => ({ connection: null, error }),
    );
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    const { connection, error } = await scene.wait(`connect() called off after ${turns} turns`, outcome);
    if (connection === null) assert.equal(assertTyped(error).code, 'XMPP_ABORTED');
    else await scene.wait('close()', connection.close());
    if (turns === 0) assert.equal(connection, null, 'what is called off at once does not connect');
  }
  // The last one comes after all that the others have left on the way.
  const last = await scene.connectOnly(listener);
  const stream = await scene.wait('openStream()', last.openStream());
  stream.sendHeader({ to: domain });
  const server = await scene.wait('the header on the last connection', greeted);
  for (const other of announced) {
    if (other !== server) await scene.wait('a connection called off to end at the other side', other.closed);
  }
}
