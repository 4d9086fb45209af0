import { DEFAULT_LIMITS, XmlStreamReader, type XmlStreamSink } from '@stanzaport/core';
import { Parser } from '@xmpp/xml';
import { SaxesParser } from 'saxes';
import { type Circumstances, type Question, turnsOf } from '../question.ts';
import { type Report, Series } from '../report.ts';
import { STANZA_BYTES, stanzaOf } from '../work.ts';

const HEADER =
  "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='montague.example' version='1.0'>";
/** As much as one read of a stream brings. */
const CHUNK_BYTES = 16_384;
const STANZAS = 100_000;
const QUICK_STANZAS = 1_000;
/** Parsed before the clock runs. */
const WARM_UP = 20_000;

const NAMES = "from='romeo@montague.example/orchard' to='juliet@capulet.example/balcony'";
const WORK = {
  [`message of ${STANZA_BYTES} bytes`]: stanzaOf(STANZA_BYTES),
  'presence with capabilities': `<presence ${NAMES}><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://code.google.com/p/exodus' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/><priority>5</priority></presence>`,
  'message with markup, entities and Greek': `<message ${NAMES} type='chat' id='x1'><body>Τὸ ὄνομα &lt;μέγα&gt; &amp; παλαιόν</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p style='font-weight:bold'>hi <em>there</em></p></body></html></message>`,
};

/** Parses all chunks; answers the number of stanzas seen. */
type Reader = (chunks: readonly Uint8Array[]) => number;

const readWithOurs =
  (wantsTree: boolean): Reader =>
  (chunks) => {
    let stanzas = 0;
    const sink: XmlStreamSink = {
      onHeader: () => undefined,
      onStanza: (stanza) => {
        if (!wantsTree || stanza.element.name !== '') stanzas += 1;
      },
      onEnd: () => undefined,
      onError: (error) => {
        throw error;
      },
    };
    const reader = new XmlStreamReader(sink, DEFAULT_LIMITS);
    for (const chunk of chunks) reader.feed(chunk);
    return stanzas;
  };

const readWithSaxes: Reader = (chunks) => {
  let stanzas = 0;
  let depth = 0;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', () => {
    depth += 1;
  });
  parser.on('text', () => undefined);
  parser.on('closetag', () => {
    depth -= 1;
    if (depth === 1) stanzas += 1;
  });
  for (const chunk of chunks) parser.write(decoder.decode(chunk, { stream: true }));
  return stanzas;
};

const readWithLtx: Reader = (chunks) => {
  let stanzas = 0;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const parser = new Parser();
  parser.on('element', () => {
    stanzas += 1;
  });
  for (const chunk of chunks) parser.write(decoder.decode(chunk, { stream: true }));
  return stanzas;
};

const SAXES = 'saxes, events with namespaces';
const READERS = [
  { title: 'Stanzaport, stanza with its attributes', read: readWithOurs(false) },
  { title: 'Stanzaport, and its tree', read: readWithOurs(true) },
  { title: SAXES, read: readWithSaxes },
  { title: '@xmpp/xml (ltx), its tree', read: readWithLtx },
];

function chunksOf(stanza: string, count: number): readonly Uint8Array[] {
  const bytes = Buffer.from(HEADER + stanza.repeat(count));
  const chunks: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
    chunks.push(bytes.subarray(offset, offset + CHUNK_BYTES));
  }
  return chunks;
}

async function ask({ rounds, quick }: Circumstances): Promise<Report> {
  const count = quick ? QUICK_STANZAS : STANZAS;
  const tables = Object.entries(WORK).map(([title, stanza]) => ({
    stanza,
    series: new Series(`${title}`, 'thousand stanzas a second', { digits: 0, baseline: SAXES }),
  }));
  for (const { stanza } of tables) {
    const chunks = chunksOf(stanza, quick ? QUICK_STANZAS : WARM_UP);
    for (const { read } of READERS) read(chunks);
  }
  for (let round = 0; round < rounds; round++) {
    for (const { stanza, series } of tables) {
      const chunks = chunksOf(stanza, count);
      for (const { title, read } of turnsOf(READERS, round)) {
        const began = performance.now();
        const seen = read(chunks);
        const elapsedMs = performance.now() - began;
        if (seen !== count) throw new Error(`${title} saw ${seen} stanzas of ${count}`);
        series.add(title, count / elapsedMs);
      }
    }
  }
  return {
    question: xml.title,
    conditions: [`From bytes, UTF-8 checked, in chunks of ${CHUNK_BYTES} bytes; one process, nothing else in it`],
    series: tables.map(({ series }) => series),
  };
}

export const xml: Question = { name: 'xml', title: 'How fast is XML read, by itself?', rounds: 5, measure: ask };
