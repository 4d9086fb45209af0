import assert from 'node:assert/strict';
import { assertClosed } from './assertions.ts';
import { type CaseDefinition, needsRawPeer } from './case-definition.ts';
import { collect } from './collector.ts';
import type { Scene } from './harness.ts';
import { headerText, textOf } from './raw-text.ts';
import { jam, messageOf, sendAll, take } from './traffic.ts';

/** 1 MiB in all. */
const LONG_ANSWER = Array.from({ length: 16 }, (_, id) => messageOf(65_536, id));

/** TC-05: the two halves of the bytes end one by one, and whatever was said before is heard. */
export const halfClosingCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-05',
    title: 'what was sent before the close timeout reaches a peer that reads later',
    limits: { closeTimeoutMs: 200 },
    run: readLate,
  },
  {
    requirement: 'TC-05',
    title: 'when our half has ended, the peer still says 1 MiB and its closing tag to a slow reader; that end is clean',
    skipFor: needsRawPeer,
    async run(scene) {
      const { bytes } = await scene.openRaw();
      bytes.write(headerText(scene.pair.domain));
      const ours = textOf(bytes);
      const stream = await scene.takeRaw();
      assert.equal((await scene.nextEvent(stream)).type, 'header');
      stream.markAuthenticated();
      const received: string[] = [];
      const consuming = stream.consume(async ({ source }) => {
        await new Promise((resolve) => setImmediate(resolve));
        received.push(source);
      });
      // Awaited below, if nothing else fails before.
      consuming.catch(() => undefined);
      const closing = stream.close();
      assert.match(await scene.wait('the end of our half', ours), /<\/stream:stream>$/);
      bytes.end(`${LONG_ANSWER.join('')}</stream:stream>`);
      await scene.wait('close()', closing);
      await scene.wait('the consumer', consuming);
      assert.deepEqual(received, LONG_ANSWER);
      await assertClosed(stream.closed, { clean: true, by: 'local' });
    },
  },
  {
    requirement: 'TC-05',
    title: 'a peer that has ended its half is still told 1 MiB, the closing tag and the end',
    skipFor: needsRawPeer,
    async run(scene) {
      const { bytes } = await scene.openRaw();
      const answer = textOf(bytes);
      bytes.end(`${headerText(scene.pair.domain)}</stream:stream>`);
      const stream = await scene.takeRaw();
      assert.equal((await scene.nextEvent(stream)).type, 'header');
      stream.sendHeader();
      await sendAll(scene, stream, LONG_ANSWER);
      const reading = collect(stream.events$);
      assert.ok((await scene.wait('the answer', answer)).endsWith(`${LONG_ANSWER.join('')}</stream:stream>`));
      assert.deepEqual(await scene.wait('the end', reading.ended), { type: 'complete' });
      await assertClosed(stream.closed, { clean: true, by: 'peer' });
    },
  },
  {
    requirement: 'TC-05',
    title: 'a connection without a stream ends cleanly at both sides, whoever closes it',
    async run(scene) {
      for (const closer of ['client', 'server'] as const) {
        const { streams, ...ends } = await scene.connect();
        await scene.wait('close()', ends[closer].close());
        for (const end of ['client', 'server'] as const) {
          const by = end === closer ? 'local' : 'peer';
          const reason = await scene.wait(`the end at the ${end}`, ends[end].closed);
          assert.deepEqual(reason, { clean: true, by, error: null });
        }
        assert.deepEqual(await scene.wait('the end of its streams', streams.ended), { type: 'complete' });
      }
    },
  },
];

/** What the transport has taken is the transport's to deliver, also when the stream that sent it has been given up. */
async function readLate(scene: Scene): Promise<void> {
  const { connections, ...probe } = await scene.openFirst();
  const neighbour = await scene.openNeighbour(connections);
  const { takenBytes } = await jam(scene, probe.initiating, neighbour);
  const { initiating, receiving } = await scene.openNeighbour(connections);
  // Half of it for certain fits again; what every transport takes is at least 32 KiB.
  const texts = Array.from({ length: Math.max(8, takenBytes / 2 ** 13) }, (_, id) => messageOf(4_096, id));
  await sendAll(scene, initiating, texts);
  while (initiating.queuedBytes > 0) await scene.roundTrip(neighbour);
  await scene.wait('close() to give up', initiating.close());
  await assertClosed(initiating.closed, { clean: false, categories: ['timeout'] });
  // Whatever the end has set off has come by then.
  for (let count = 0; count < 3; count += 1) await scene.roundTrip(neighbour);
  assert.deepEqual(await take(scene, receiving, texts.length), texts);
}
