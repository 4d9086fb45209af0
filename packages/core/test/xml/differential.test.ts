import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cut, makeStream, mutate } from './documents.ts';
import { isWhereSaxesIsLenient, judge, nodeFrom } from './oracle.ts';
import { Random, read, record } from './record.ts';

/** Conditions by which XMPP refuses what XML allows. */
const RESTRICTIONS = new Set([
  'restricted-xml',
  'bad-format',
  'bad-namespace-prefix',
  'invalid-namespace',
  'unsupported-encoding',
]);

/** What brings either to its verdict on a reference, an end tag or a start tag that cannot become a good one any more. */
const UNDECIDED = [';', '>', "'>", '">'];

const DOCUMENTS = 100_000;
/** Of each made stream. */
const MUTATIONS = 5;
/** 1 in CI; more for a long run. */
const SCALE = Number(process.env.STANZAPORT_FUZZ_SCALE ?? '1');
const SEED = Number(process.env.STANZAPORT_FUZZ_SEED ?? '20250717');

/** Reads one document in random pieces and compares with the oracle. @returns what differs, null if nothing does. */
function difference(text: string, random: Random): string | null {
  const { events, stanzas, reader } = record();
  for (const piece of cut(Buffer.from(text), random)) reader.feed(piece);
  const oracle = judge(text);
  const last = events.at(-1);
  const condition = last?.type === 'error' ? last.condition : null;
  if (condition === 'internal-server-error' || condition === 'policy-violation') return condition;
  if (condition === null) {
    if (oracle.error !== null) {
      const isRefused = UNDECIDED.some((rest) => read([text + rest]).at(-1)?.type === 'error');
      return isRefused ? null : `accepted, but saxes says ${oracle.error}`;
    }
    if ((last?.type === 'end') !== oracle.ended) return 'only one saw the end';
    if (stanzas.length !== oracle.elements.length) return 'elements are missing';
  } else if (!RESTRICTIONS.has(condition) && oracle.error === null) {
    if (UNDECIDED.every((rest) => judge(text + rest).error === null)) return `${condition}, but saxes accepts`;
  }
  const seen = JSON.stringify(stanzas.map((stanza) => nodeFrom(stanza.element)));
  const expected = JSON.stringify(oracle.elements.slice(0, stanzas.length));
  return seen === expected ? null : `${seen} is not ${expected}`;
}

describe('against saxes', () => {
  const { stackTraceLimit } = Error;

  beforeAll(() => {
    // Most documents are refused, and most of the time would go into traces nobody reads.
    Error.stackTraceLimit = 0;
  });
  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  test(`[XML-13] verdicts and trees agree on ${DOCUMENTS * SCALE} mutated documents, nothing throws, memory stays flat`, {
    timeout: 600_000 * SCALE,
  }, () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    const random = new Random(SEED);
    const differences: string[] = [];
    let heapBefore = 0;
    let stream = '';
    for (let count = 0; count < DOCUMENTS * SCALE && differences.length < 20; count++) {
      if (count % MUTATIONS === 0) stream = makeStream(random);
      const text = mutate(stream, random);
      const found = difference(text, random);
      if (found !== null && !isWhereSaxesIsLenient(text)) differences.push(`${JSON.stringify(text)}: ${found}`);
      if (count === DOCUMENTS / 10) {
        collectGarbage();
        heapBefore = process.memoryUsage().heapUsed;
      }
    }
    collectGarbage();
    expect(differences).toEqual([]);
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(4 * 1024 * 1024);
  });
});
