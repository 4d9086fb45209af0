import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Stanza, StanzaStream } from '@stanzaport/core';
import { assertFails, assertTyped } from './assertions.ts';
import { type CaseDefinition, needsManyStreams } from './case-definition.ts';
import { collect } from './collector.ts';
import type { Scene, StreamPair } from './harness.ts';
import { SeededRandom } from './random.ts';
import { messageOf, sendAll, take } from './traffic.ts';

const TEN_MEBIBYTES = 10 * 2 ** 20;
const LARGEST_STANZA = 200_000;
const MANY = 100_000;

/** TC-02: everything exactly once, in order, to one consumer. */
export const stanzaCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-02',
    title: '10 MiB both ways at once, in writes of all sizes, come as they were sent',
    run: bothWaysAtOnce,
  },
  {
    requirement: 'TC-02',
    title: '100,000 stanzas arrive in order, each once',
    async run(scene) {
      const { initiating, receiving } = await scene.openFirst();
      const arrived = new Promise<void>((resolve, reject) => {
        let expected = 0;
        const next = ({ id }: Stanza): void => {
          if (id !== String(expected)) reject(new Error(`stanza ${id} came where ${expected} was due`));
          expected += 1;
          if (expected === MANY) resolve();
        };
        receiving.stanzas$.subscribe({ next, error: reject });
      });
      const texts = Array.from({ length: MANY }, (_, id) => `<message id='${id}'/>`);
      await scene.wait('the last stanza', Promise.all([arrived, sendAll(scene, initiating, texts)]));
    },
  },
  {
    requirement: 'TC-02',
    title: 'stanzas that came before the first subscription are delivered to it',
    async run(scene) {
      const connections = await scene.connect();
      const streams = await scene.openUnread(connections);
      const texts = Array.from({ length: 100 }, (_, id) => messageOf(200, id));
      await sendAll(scene, streams.initiating, texts);
      const neighbour = await scene.openNeighbour(connections);
      for (let count = 0; count < 5; count += 1) await scene.roundTrip(neighbour);
      await scene.greet(streams);
      assert.deepEqual(await take(scene, streams.receiving, texts.length), texts);
    },
  },
  {
    requirement: 'TC-02',
    title: 'events$ gives header, stanzas and close, in order and each once',
    async run(scene) {
      const streams = await scene.openUnread(await scene.connect());
      const { initiating, receiving } = streams;
      const events = collect(receiving.events$);
      assert.equal((await scene.wait('the header', events.next())).type, 'header');
      receiving.sendHeader();
      receiving.markAuthenticated();
      const header = await scene.nextEvent(initiating);
      assert.ok(header.type === 'header' && header.header.from === scene.pair.domain, "the answer's from");
      initiating.send('<one/>');
      initiating.send('<two/>');
      await scene.wait('close()', initiating.close());
      await scene.wait('the end at the other side', events.ended);
      assert.deepEqual(
        events.values.map((event) => (event.type === 'stanza' ? event.stanza.source : event.type)),
        ['header', '<one/>', '<two/>', 'close'],
      );
      assert.deepEqual(events.endings, [{ type: 'complete' }]);
    },
  },
  {
    requirement: 'TC-02',
    title: 'a second consumer is refused, and the first goes on',
    async run(scene) {
      const { initiating, receiving } = await scene.openFirst();
      const first = collect(receiving.stanzas$);
      const second = collect(receiving.events$);
      const { endings } = second;
      await scene.wait('the refusal of the second subscription', second.ended);
      assert.equal(endings[0]?.type, 'error');
      if (endings[0]?.type === 'error') assert.equal(assertTyped(endings[0].error).code, 'XMPP_INVALID_STATE');
      const pulling = receiving[Symbol.asyncIterator]().next();
      assert.equal((await assertFails(pulling, 'config')).code, 'XMPP_INVALID_STATE');
      const consuming = receiving.consume(() => undefined);
      assert.equal((await assertFails(consuming, 'config')).code, 'XMPP_INVALID_STATE');
      initiating.send('<one/>');
      assert.equal((await scene.wait('the stanza at the first consumer', first.next())).source, '<one/>');
    },
  },
  {
    requirement: 'TC-02',
    title: 'when a consumer leaves, the next one goes on at the very next stanza',
    run: consumerHandover,
  },
  {
    requirement: 'TC-02',
    title: 'text of every kind survives, wherever the chunks are cut',
    async run(scene) {
      const { initiating, receiving } = await scene.openFirst();
      const texts = ['é', '€', '💬', '&amp;&#xD;&lt;', "<x xmlns='urn:x' a='&quot;'/>", '<![CDATA[<&]]>'].map(
        (text, index) => `<message><body>${'.'.repeat(index)}${text.repeat(20_000 / text.length)}</body></message>`,
      );
      await sendAll(scene, initiating, texts);
      assert.deepEqual(await take(scene, receiving, texts.length), texts);
    },
  },
  {
    requirement: 'TC-02',
    title: 'the streams of a connection keep apart',
    skipFor: needsManyStreams,
    async run(scene) {
      const connections = await scene.connect();
      const count = Math.min(10, scene.capabilities.streamsPerConnection);
      const texts = (stream: number): string[] =>
        Array.from({ length: 1_000 }, (_, index) => messageOf(300, `${stream}/${index}`));
      const one = async ({ initiating, receiving }: StreamPair, index: number): Promise<void> => {
        const [received] = await Promise.all([take(scene, receiving, 1_000), sendAll(scene, initiating, texts(index))]);
        assert.deepEqual(received, texts(index));
      };
      const streams: StreamPair[] = [];
      for (let index = 0; index < count; index += 1) streams.push(await scene.openStream(connections));
      await Promise.all(streams.map(one));
    },
  },
];

async function bothWaysAtOnce(scene: Scene): Promise<void> {
  const { initiating, receiving } = await scene.openFirst();
  const texts = (seed: number): string[] => {
    const random = new SeededRandom(seed);
    const made: string[] = [];
    for (let bytes = 0; bytes < TEN_MEBIBYTES; ) {
      const size = random.below(4) === 0 ? random.below(LARGEST_STANZA) : random.below(2_000);
      const text = messageOf(size, made.length);
      made.push(text);
      bytes += text.length;
    }
    return made;
  };
  const hashOf = (sources: readonly string[]): string => {
    const hash = createHash('sha256');
    for (const source of sources) hash.update(source);
    return hash.digest('hex');
  };
  const oneWay = async (from: StanzaStream, to: StanzaStream, seed: number): Promise<void> => {
    const sent = texts(seed);
    const [received] = await Promise.all([take(scene, to, sent.length), sendAll(scene, from, sent)]);
    assert.equal(hashOf(received), hashOf(sent));
  };
  await Promise.all([oneWay(initiating, receiving, 1), oneWay(receiving, initiating, 2)]);
}

async function consumerHandover(scene: Scene): Promise<void> {
  const { initiating, receiving } = await scene.openFirst();
  const texts = Array.from({ length: 100 }, (_, id) => `<message id='${id}'/>`);
  await sendAll(scene, initiating, texts);
  const sources = await take(scene, receiving, 10);
  await new Promise<void>((resolve) => {
    const subscription = receiving.stanzas$.subscribe(({ source }) => {
      if (sources.push(source) < 20) return;
      subscription.unsubscribe();
      resolve();
    });
  });
  const leaving = new AbortController();
  const consuming = receiving.consume(
    ({ source }) => {
      if (sources.push(source) === 30) leaving.abort();
    },
    { signal: leaving.signal },
  );
  await assertFails(scene.wait('consume() to stop', consuming), 'aborted');
  sources.push(...(await take(scene, receiving, 70)));
  assert.deepEqual(sources, texts);
}
