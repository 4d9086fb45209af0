import { describe, expect, test } from 'vitest';
import { cut, makeStream, mutate } from './documents.ts';
import { END, HEADER, Random, type Recorded, record, STREAMS, singleBytes } from './record.ts';

/** Streams with what a cut could break; `<success/>` restarts, `<stop/>` pauses until the next chunk. */
const CORPUS: readonly string[] = [
  `<?xml version='1.0' encoding='UTF-8'?>${HEADER}<message to='a'><body>hi</body></message> \r\n <iq/>${END}`,
  `${HEADER}<é ñ='ß€😀'>ß€😀&lt;<日本>語</日本></é><a>\ufeff</a>${END}`,
  `${HEADER}<a><![CDATA[a<b]]]]><![CDATA[>]]> ]] &#x1F600;&amp;]]&gt;</a>`,
  `${HEADER}<auth/><success/><?xml version='1.0'?><s:stream xmlns:s='${STREAMS}' xmlns='jabber:client' id='2'><b/></s:stream >`,
  `${HEADER}<a/><stop/><b/><success/>${HEADER}<stop>x</stop><c/>${END}`,
  `${HEADER.replace(' to', ` xmlns:p='urn:p' to`)}<p:a p:b='1'><q:c xmlns:q='urn:q'/></p:a><x xmlns='urn:x'/>`,
  `${HEADER}<a>x</a><b c='&amp;&bogus;'/>`,
  `${HEADER}<a>x</a><!-- no -->`,
  `${HEADER}<a></b>`,
  `${HEADER}<a/>text`,
  `${HEADER}<a b='1' b='2'/>`,
  ` <?xml version='1.0'?>`,
  `${HEADER}<a>${'x'.repeat(400)}</a>`,
  `${HEADER}${'<a>'.repeat(9)}`,
];
const LIMITS = { maxStanzaBytes: 300, maxHeaderBytes: 300, maxDepth: 8, maxAttributes: 8 };

function readPieces(pieces: readonly Uint8Array[]): Recorded[] {
  const recording = record(LIMITS);
  const { reader, events } = recording;
  recording.onStanza = ({ name }) => {
    if (name === 'success') reader.restart();
    if (name === 'stop') reader.pause();
  };
  for (const piece of pieces) {
    reader.feed(piece);
    reader.resume();
  }
  // As many pauses as a single chunk may hold.
  reader.resume();
  reader.resume();
  return events;
}

/** The corpus, and each of it with invalid UTF-8 in the middle. */
function corpus(): Buffer[] {
  return CORPUS.flatMap((text) => {
    const bytes = Buffer.from(text);
    const middle = HEADER.length + 5;
    return [
      bytes,
      Buffer.concat([bytes.subarray(0, middle), Buffer.of(0xf0, 0x9f, 0x98, 0x20), bytes.subarray(middle)]),
    ];
  });
}

describe('chunk borders mean nothing', () => {
  for (const [index, bytes] of corpus().entries()) {
    const expected = JSON.stringify(readPieces([bytes]));

    test(`[XML-17] stream ${index} cut at every byte`, () => {
      for (let place = 0; place <= bytes.length; place++) {
        const events = readPieces([bytes.subarray(0, place), bytes.subarray(place)]);
        expect(JSON.stringify(events), `cut at ${place}`).toBe(expected);
      }
    });

    test(`[XML-17] stream ${index} in single bytes`, () => {
      expect(JSON.stringify(readPieces(singleBytes(bytes)))).toBe(expected);
    });

    test(`[XML-17] stream ${index} in random pieces`, () => {
      const random = new Random(index);
      for (let count = 0; count < 100; count++) expect(JSON.stringify(readPieces(cut(bytes, random)))).toBe(expected);
    });
  }

  test('[XML-17] two streams in single bytes in turn, each within a tag of its own, are read as alone', () => {
    const [first, second] = [CORPUS[5] as string, CORPUS[0] as string];
    const recordings = [record(LIMITS), record(LIMITS)];
    for (let index = 0; index < Math.max(first.length, second.length); index++) {
      for (const [which, text] of [first, second].entries()) {
        if (index < text.length) recordings[which]?.reader.feed(Buffer.from(text[index] as string));
      }
    }
    const alone = [first, second].map((text) => JSON.stringify(readPieces([Buffer.from(text)])));
    expect(recordings.map(({ events }) => JSON.stringify(events))).toEqual(alone);
  });

  test('[XML-17] the corpus has every kind of event', () => {
    const seen = corpus().flatMap((bytes) =>
      readPieces([bytes]).map((event) => ('condition' in event ? event.condition : event.type)),
    );
    expect([...new Set(seen)].sort()).toEqual([
      'bad-format',
      'end',
      'header',
      'not-well-formed',
      'policy-violation',
      'restricted-xml',
      'stanza',
      'unsupported-encoding',
    ]);
  });

  test('[XML-17] 1,500 made streams, whole, in single bytes and in random pieces', () => {
    const random = new Random(17);
    for (let count = 0; count < 1_500; count++) {
      const text = mutate(makeStream(random), random);
      const bytes = Buffer.from(text);
      if (random.chance(4)) bytes[random.below(bytes.length)] = random.below(256);
      const expected = JSON.stringify(readPieces([bytes]));
      expect(JSON.stringify(readPieces(singleBytes(bytes))), text).toBe(expected);
      expect(JSON.stringify(readPieces(cut(bytes, random))), text).toBe(expected);
    }
  });

  test('[XML-17] a cut element costs as much in single bytes as its size, not its square', () => {
    // Ten times the bytes may cost about ten times the work; a square would be a hundred times. Work is counted in
    // bytes copied, so that a busy machine cannot make the test fail.
    const copied = (size: number): number => {
      const { reader } = record();
      const bytes = Buffer.from(`${HEADER}<a>${'x'.repeat(size)}</a>`);
      const { copy } = Buffer.prototype;
      let total = 0;
      Buffer.prototype.copy = function (this: Buffer, ...parameters: Parameters<typeof copy>): number {
        const count = copy.apply(this, parameters);
        total += count;
        return count;
      };
      try {
        for (const byte of singleBytes(bytes)) reader.feed(byte);
      } finally {
        Buffer.prototype.copy = copy;
      }
      return total;
    };
    expect(copied(200_000)).toBeLessThan(15 * copied(20_000));
  });
});
