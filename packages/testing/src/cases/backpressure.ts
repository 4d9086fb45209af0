import assert from 'node:assert/strict';
import { assertCategory, assertErrored, assertFails } from './assertions.ts';
import type { CaseDefinition } from './case-definition.ts';
import { collect } from './collector.ts';
import type { Scene } from './harness.ts';
import { jam, messageOf, sendAll, take } from './traffic.ts';

/** TC-03 and TC-04: the slow are waited for, and memory stays bounded. */
export const backpressureCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-03',
    title: 'a slow asynchronous consumer stops the peer; when it goes on, all arrives',
    run: slowConsumer,
  },
  {
    requirement: 'TC-03',
    title: 'a stream nobody reads stops the peer',
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      const neighbour = await scene.openNeighbour(connections);
      const { sent } = await jam(scene, initiating, neighbour, assertBounded(scene));
      await take(scene, receiving, sent);
    },
  },
  {
    requirement: 'TC-04',
    title: 'send() returns false to a peer that does not read; when it reads, drained() resolves and nothing is lost',
    limits: { sendHighWaterMarkBytes: 65_536 },
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      const neighbour = await scene.openNeighbour(connections);
      const { sent } = await jam(scene, initiating, neighbour);
      assert.ok(initiating.queuedBytes >= 65_536, `${initiating.queuedBytes} bytes are queued`);
      const [received] = await Promise.all([
        take(scene, receiving, sent),
        scene.wait('drained()', initiating.drained()),
      ]);
      assert.equal(received.length, sent);
      await sendAll(scene, initiating, ['<more/>']);
      assert.equal(await scene.nextStanza(receiving), '<more/>');
    },
  },
  {
    requirement: 'TC-04',
    title: 'past the cap of the send queue that stream alone ends, with limit',
    limits: { sendHighWaterMarkBytes: 65_536, maxSendQueueBytes: 131_072, closeTimeoutMs: 300 },
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      const neighbour = await scene.openNeighbour(connections);
      const errors = collect(initiating.events$);
      await jam(scene, initiating, neighbour);
      const drained = assertFails(scene.wait('drained() to reject', initiating.drained()), 'limit');
      assert.throws(
        () => {
          for (let bytes = 0; bytes <= 131_072; bytes += 4_096) initiating.send(messageOf(4_096));
          initiating.send('<late/>');
        },
        (thrown) => assertCategory(thrown, 'limit').category === 'limit',
      );
      await drained;
      const { error } = await scene.wait('the stream to end', initiating.closed);
      assertCategory(error, 'limit');
      assertErrored(await scene.wait('its observable to error', errors.ended), 'limit');
      await scene.roundTrip(neighbour);

      const reading = collect(receiving.events$);
      assertErrored(await scene.wait('the other end', reading.ended), 'peer-error', 'peer-reset', 'peer-closed');
      await scene.roundTrip(neighbour);
    },
  },
];

async function slowConsumer(scene: Scene): Promise<void> {
  const { connections, initiating, receiving } = await scene.openFirst();
  const neighbour = await scene.openNeighbour(connections);
  let goOn: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let taken = 0;
  const consuming = receiving.consume(async () => {
    taken += 1;
    await gate;
  });
  const { sent } = await jam(scene, initiating, neighbour, assertBounded(scene));
  assert.equal(taken, 1, 'the consumer has one stanza in hand');
  goOn();
  const more = Array.from({ length: 1_000 }, (_, id) => messageOf(4_096, id));
  await sendAll(scene, initiating, more);
  await scene.wait('close()', initiating.close());
  await scene.wait('the consumer to finish', consuming);
  assert.equal(taken, sent + more.length);
}

/** One stanza more may be in the consumer's hands. */
function assertBounded({ capabilities: { heldBytes } }: Scene): (bytes: number) => void {
  return (bytes) => assert.ok(bytes <= heldBytes + 4_096, `${bytes} bytes were taken for a reader that does not read`);
}
