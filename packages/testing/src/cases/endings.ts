import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import {
  type CloseReason,
  type Connection,
  type ErrorCategory,
  type Listener,
  type StanzaStream,
  StreamError,
} from '@stanzaport/core';
import { assertClosed, assertErrored, assertFails } from './assertions.ts';
import { type CaseDefinition, needsRawPeer } from './case-definition.ts';
import { type Collector, collect } from './collector.ts';
import type { Scene } from './harness.ts';
import { headerText } from './raw-text.ts';
import { messageOf } from './traffic.ts';

/** What the ends are called on: the receiving side of one stream. */
interface Stage {
  readonly stream: StanzaStream;
  readonly connection: Connection;
  readonly listener: Listener;
}

type Call = (stage: Stage) => unknown;

const CALLS: Readonly<Record<string, Call>> = {
  'stream.close': ({ stream }) => stream.close(),
  'stream.abort': ({ stream }) => stream.abort(new StreamError('policy-violation')),
  'stream.dispose': ({ stream }) => stream[Symbol.asyncDispose](),
  'connection.close': ({ connection }) => connection.close(),
  'connection.abort': ({ connection }) => connection.abort(),
  'connection.dispose': ({ connection }) => connection[Symbol.asyncDispose](),
  'listener.close': ({ listener }) => listener.close({ drainMs: 1_000 }),
  'listener.dispose': ({ listener }) => listener[Symbol.asyncDispose](),
};

/** The dispose of each does what its close does, so that triples do without. */
const CALLS_OF_TRIPLES = ['stream.close', 'stream.abort', 'connection.close', 'connection.abort', 'listener.close'];

/** Every way to read a stream; each resolves after a clean end and else rejects. */
const CONSUMERS: Readonly<Record<string, (stream: StanzaStream, see: (source: string) => void) => Promise<void>>> = {
  stanzas$: ({ stanzas$ }, see) =>
    new Promise((complete, error) => stanzas$.subscribe({ next: ({ source }) => see(source), error, complete })),
  'events()': async (stream, see) => {
    for await (const event of stream.events()) if (event.type === 'stanza') see(event.stanza.source);
  },
  'a for await loop': async (stream, see) => {
    for await (const { source } of stream) see(source);
  },
  'consume()': (stream, see) => stream.consume(({ source }) => see(source)),
  'consume() with concurrency': (stream, see) => stream.consume(async ({ source }) => see(source), { concurrency: 8 }),
};

/** How one sequence of calls is made. */
type Mode = 'one after another' | 'at once' | 'inside a handler';

/** TC-07 and TC-13: ending is idempotent and total, and one kind of end is told from another. */
export const endingCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-07',
    title: 'every pair of close, abort and dispose, awaited one after another, gives one single end',
    run: (scene) => playAll(scene, pairs(), 'one after another'),
  },
  {
    requirement: 'TC-07',
    title: 'every pair of close, abort and dispose at once gives one single end',
    run: (scene) => playAll(scene, pairs(), 'at once'),
  },
  {
    requirement: 'TC-07',
    title: 'triples of close and abort at once give one single end',
    run: (scene) => playAll(scene, triples(), 'at once'),
  },
  {
    requirement: 'TC-07',
    title: 'each of close, abort and dispose inside a handler gives one single end',
    run: (scene) =>
      playAll(
        scene,
        Object.keys(CALLS).map((name) => [name]),
        'inside a handler',
      ),
  },
  {
    requirement: 'TC-07',
    title: 'both sides closing at once is clean for both',
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      await scene.wait('both streams', Promise.all([initiating.close(), receiving.close()]));
      for (const stream of [initiating, receiving]) await assertClosed(stream.closed, { clean: true });
      const { client, server } = connections;
      await scene.wait('both connections', Promise.all([client.close(), server.close()]));
      for (const connection of [client, server]) assert.equal((await connection.closed).clean, true);
    },
  },
  ...Object.entries(CONSUMERS).map(
    ([name, consume]): CaseDefinition => ({
      requirement: 'TC-13',
      title: `${name} gets everything, then a clean end or the error`,
      async run(scene) {
        const { connections, ...first } = await scene.openFirst();
        for (const way of ['cleanly', 'with an error'] as const) {
          const { initiating, receiving } = way === 'cleanly' ? first : await scene.openNeighbour(connections);
          const seen: string[] = [];
          const consuming = consume(receiving, (source) => seen.push(source));
          for (const source of ['<one/>', '<two/>']) initiating.send(source);
          if (way === 'cleanly') void initiating.close();
          else initiating.abort(new StreamError('conflict'));
          const end = scene.wait(`${name} to end ${way}`, consuming);
          if (way === 'cleanly') await end;
          else await assertFails(end, 'peer-error');
          assert.deepEqual(seen, ['<one/>', '<two/>']);
        }
      },
    }),
  ),
  rawEnding('a closing tag and the end of the bytes is clean', { clean: true }, (bytes) =>
    bytes.end('</stream:stream>'),
  ),
  rawEnding('an end without closing tag is peer-closed', { clean: false, category: 'peer-closed' }, (bytes) =>
    bytes.end(),
  ),
  rawEnding('an end inside a stanza is peer-closed', { clean: false, category: 'peer-closed' }, (bytes) =>
    bytes.end('<message><bo'),
  ),
  rawEnding('malformed XML is xml', { clean: false, category: 'xml' }, (bytes) => bytes.write('<a></b>')),
  rawEnding("the peer's stream error is peer-error", { clean: false, category: 'peer-error' }, (bytes) =>
    bytes.end("<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"),
  ),
  {
    requirement: 'TC-13',
    title: 'a reset is peer-reset; what was delivered before stays',
    skipFor: (capabilities) => needsRawPeer(capabilities) ?? (capabilities.reset ? null : 'a reset cannot be told'),
    async run(scene) {
      const { bytes } = await scene.openRaw();
      bytes.write(headerText(scene.pair.domain) + messageOf(100));
      const stream = await scene.takeRaw();
      stream.markAuthenticated();
      const stanzas = collect(stream.stanzas$);
      await scene.wait('the stanza before the reset', stanzas.next());
      bytes.destroy();
      assertErrored(await scene.wait('the end', stanzas.ended), 'peer-reset');
      await assertClosed(stream.closed, { clean: false, by: 'peer', categories: ['peer-reset'] });
    },
  },
  {
    requirement: 'TC-13',
    title: 'a connection lost behind its stanzas is no clean end, and all that had arrived is delivered first',
    async run(scene) {
      const { connections, initiating, receiving } = await scene.openFirst();
      const stanzas = collect(receiving.stanzas$);
      for (let id = 0; id < 10; id += 1) initiating.send(messageOf(100, id));
      for (let id = 0; id < 10; id += 1) await scene.wait('a stanza', stanzas.next());
      connections.client.abort();
      assertErrored(await scene.wait('the end', stanzas.ended), 'peer-reset', 'peer-closed');
      assert.equal(stanzas.values.length, 10);
      await assertClosed(initiating.closed, { clean: false, categories: ['aborted'] });
    },
  },
];

function pairs(): string[][] {
  const names = Object.keys(CALLS);
  return names.flatMap((first) => names.map((second) => [first, second]));
}

function triples(): string[][] {
  const names = CALLS_OF_TRIPLES;
  return names.flatMap((first) => names.flatMap((second) => names.map((third) => [first, second, third])));
}

async function playAll(scene: Scene, sequences: readonly string[][], mode: Mode): Promise<void> {
  for (const names of sequences) {
    try {
      await playEnding(scene, names, mode);
    } catch (cause) {
      throw new Error(`${names.join(', ')} ${mode}: ${String(cause)}`, { cause });
    }
  }
}

async function playEnding(scene: Scene, names: readonly string[], mode: Mode): Promise<void> {
  const listener = await scene.listen();
  const { client, server, streams } = await scene.connect(listener);
  const { initiating, receiving } = await scene.openStream({ client, server, streams });
  const calls = names.map((name) => CALLS[name] ?? assert.fail(`there is no call ${name}`));
  const stage: Stage = { stream: receiving, connection: server, listener };
  const clientEvents = collect(initiating.events$);
  const results: unknown[] = [];
  const inHandler = mode === 'inside a handler';
  const serverEvents = collect(receiving.events$, ({ type }) => {
    if (inHandler && type === 'stanza') for (const call of calls) results.push(call(stage));
  });
  if (inHandler) {
    initiating.send('<now/>');
    await scene.wait('the handler to be called', receiving.closed);
  } else {
    for (const call of calls) {
      const result = call(stage);
      if (mode === 'one after another') await scene.wait('a call', Promise.resolve(result));
      results.push(result);
    }
  }
  await scene.wait('all calls', Promise.all(results));

  const first = await scene.wait('stream.closed', receiving.closed);
  await scene.wait('every call once more', Promise.all(Object.values(CALLS).map((call) => call(stage))));
  assert.equal(await receiving.closed, first, 'closed settles once');
  const connectionFirst = await scene.wait('connection.closed', server.closed);
  await Promise.all(Object.values(CALLS).map((call) => call(stage)));
  assert.equal(await server.closed, connectionFirst, 'connection.closed settles once');

  await assertOneEnd(scene, 'the stream', serverEvents, first);
  await assertOneEnd(scene, 'the connection', streams, connectionFirst);
  await assertOneEnd(scene, "the peer's stream", clientEvents, await scene.wait('its end', initiating.closed));
  await scene.wait("the peer's connection to end", client.closed);
}

/** An observable ends once: it completes after a clean end, else errors with its reason. */
async function assertOneEnd(
  scene: Scene,
  what: string,
  { ended, endings }: Collector<unknown>,
  reason: CloseReason,
): Promise<void> {
  const ending = await scene.wait(`the observable of ${what} to end`, ended);
  assert.equal(endings.length, 1, `${what} ends once`);
  assert.equal(ending.type, reason.clean ? 'complete' : 'error', `${what} ended ${reason.clean ? '' : 'un'}cleanly`);
  if (ending.type === 'error') assert.equal(ending.error, reason.error, `${what} gives one reason`);
}

/** One row of the matrix of ends; everything has been sent before anyone reads. */
function rawEnding(
  title: string,
  { clean, category }: { readonly clean: boolean; readonly category?: ErrorCategory },
  finish: (bytes: Duplex) => unknown,
): CaseDefinition {
  const texts = Array.from({ length: 10 }, (_, id) => messageOf(1_000, id));
  return {
    requirement: 'TC-13',
    title: `${title}; all data before the end is delivered first`,
    skipFor: needsRawPeer,
    async run(scene) {
      const { bytes } = await scene.openRaw();
      bytes.resume();
      bytes.write(headerText(scene.pair.domain) + texts.join(''));
      finish(bytes);
      const stream = await scene.takeRaw();
      stream.markAuthenticated();
      const stanzas = collect(stream.stanzas$);
      const ending = await scene.wait('the end', stanzas.ended);
      assert.deepEqual(
        stanzas.values.map(({ source }) => source),
        texts,
      );
      if (category === undefined) assert.equal(ending.type, 'complete');
      else assertErrored(ending, category);
      await assertClosed(stream.closed, { clean, by: 'peer', ...(category && { categories: [category] }) });
    },
  };
}
