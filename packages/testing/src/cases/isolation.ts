import assert from 'node:assert/strict';
import type { StanzaStream, StreamError } from '@stanzaport/core';
import { assertCategory, assertClosed, assertErrored, assertFails } from './assertions.ts';
import { type CaseDefinition, needsRawPeer } from './case-definition.ts';
import { collect } from './collector.ts';
import type { Scene } from './harness.ts';
import { SeededRandom } from './random.ts';
import { headerText } from './raw-text.ts';

const fail = (): never => {
  throw new Error('a fault of the handler');
};

/** Consumers whose handler fails; each gives what is to be awaited before the stream is looked at. */
const FAILING_CONSUMERS: Readonly<Record<string, (stream: StanzaStream) => Promise<unknown>>> = {
  'a subscriber that throws': async (stream) => stream.stanzas$.subscribe(fail),
  'a subscriber that rejects': async (stream) => stream.stanzas$.subscribe(async () => fail()),
  'a subscriber of events$ that throws': async (stream) => stream.events$.subscribe(fail),
  'consume() whose handler throws': (stream) => assertFails(stream.consume(fail), 'internal'),
  'consume() whose handler rejects': (stream) =>
    assertFails(
      stream.consume(async () => fail()),
      'internal',
    ),
};

const MUTANTS = 200;

/** TC-11: what fails, fails alone. */
export const isolationCases: readonly CaseDefinition[] = [
  ...Object.entries(FAILING_CONSUMERS).map(
    ([name, consume]): CaseDefinition => ({
      requirement: 'TC-11',
      title: `${name} ends that stream with internal-server-error, and nothing else`,
      async run(scene) {
        const { connections, initiating, receiving } = await scene.openFirst();
        const neighbour = await scene.openNeighbour(connections);
        const peer = collect(initiating.events$);
        const consumed = consume(receiving);
        initiating.send('<message/>');
        await scene.wait('the consumer', consumed);
        const error = assertErrored(await scene.wait("the peer's end", peer.ended), 'peer-error') as StreamError;
        assert.equal(error.condition, 'internal-server-error');
        await assertClosed(receiving.closed, { clean: false, by: 'local', categories: ['internal'] });
        await scene.roundTrip(neighbour);
      },
    }),
  ),
  {
    requirement: 'TC-11',
    title: 'handlers of connections$ and path$ that throw or reject disturb nobody',
    async run(scene) {
      const listener = await scene.listen();
      listener.connections$.subscribe(fail);
      listener.connections$.subscribe(async () => fail());
      const connections = await scene.connect(listener);
      const { client, server } = connections;
      for (const { path$ } of [client, server]) path$.subscribe(fail);
      await scene.roundTrip(await scene.openStream(connections));
      await scene.roundTrip(await scene.openNeighbour(connections));
    },
  },
  ...[fail, async () => fail()].map(
    (handler, index): CaseDefinition => ({
      requirement: 'TC-11',
      title: `a handler of streams$ that ${index === 0 ? 'throws' : 'rejects'} ends its stream, which nobody would go on with`,
      async run(scene) {
        const connections = await scene.connect();
        const subscription = connections.server.streams$.subscribe(handler);
        const { initiating, receiving } = await scene.openUnread(connections);
        const peer = collect(initiating.events$);
        const error = assertErrored(await scene.wait("the peer's end", peer.ended), 'peer-error') as StreamError;
        assert.equal(error.condition, 'internal-server-error');
        await assertClosed(receiving.closed, { clean: false, by: 'local', categories: ['internal'] });
        subscription.unsubscribe();
        await scene.roundTrip(await scene.openNeighbour(connections));
      },
    }),
  ),
  {
    requirement: 'TC-11',
    title: 'errors that nobody listens for stay harmless',
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      initiating.events$.subscribe(() => undefined);
      receiving.stanzas$.subscribe(() => undefined);
      connections.server.streams$.subscribe(() => undefined);
      connections.client.abort();
      await scene.wait('both streams to end', Promise.all([initiating.closed, receiving.closed]));
      await scene.wait('the other side', connections.server.closed);
    },
  },
  {
    requirement: 'TC-11',
    title: 'mutated bytes end their own stream with a typed error, and nothing else',
    skipFor: needsRawPeer,
    run: mutatedBytes,
  },
];

async function mutatedBytes(scene: Scene): Promise<void> {
  const neighbour = await scene.openFirst();
  const random = new SeededRandom(467);
  for (let mutant = 0; mutant < MUTANTS; mutant += 1) {
    const { bytes } = await scene.openRaw();
    bytes.resume();
    bytes.end(mutate(random, Buffer.from(documentText(scene.pair.domain))));
    const stream = await scene.takeRaw();
    stream.markAuthenticated();
    stream.events$.subscribe({
      next: ({ type }) => {
        if (type === 'header') stream.sendHeader();
      },
      error: () => undefined,
    });
    const { clean, error } = await scene.wait(`the stream of mutant ${mutant} to end`, stream.closed);
    if (!clean) assertCategory(error, 'xml', 'limit', 'peer-closed', 'peer-error', 'protocol');
    if (mutant % 20 === 0) await scene.roundTrip(neighbour);
  }
}

function documentText(domain: string): string {
  const body = "<body xml:lang='de'>Grüße &amp; <![CDATA[<Küsse>]]> &#x1F48B;</body>";
  return `${headerText(domain)}<message to='romeo@${domain}'>${body}</message><presence/> <iq id='1' type='get'/></stream:stream>`;
}

/** Flips, drops, doubles or inserts a few bytes. */
function mutate(random: SeededRandom, original: Buffer): Buffer {
  let bytes = original;
  for (let change = random.below(4); change >= 0; change -= 1) {
    const at = random.below(bytes.length);
    const end = Math.min(bytes.length, at + 1 + random.below(8));
    const inserted = [
      Buffer.from([random.below(256)]),
      Buffer.alloc(0),
      Buffer.concat([bytes.subarray(at, end), bytes.subarray(at, end)]),
      Buffer.from(['<', '>', '&', '<!--', '<?', '</', "'", '\0'][random.below(8)] ?? ''),
    ][random.below(4)];
    bytes = Buffer.concat([bytes.subarray(0, at), inserted ?? Buffer.alloc(0), bytes.subarray(end)]);
  }
  return bytes;
}
