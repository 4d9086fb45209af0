import { END, HEADER, type Random, STREAMS } from './record.ts';

/** Makes streams that use every corner of the grammar, and breaks them. Everything follows from the random numbers. */

const PREFIXES = ['', '', '', '', 'p:', 'q:', 'xml:', 'stream:', 'é:', 'c:'];
const LOCAL_NAMES = ['message', 'iq', 'body', 'a', 'b', 'x-1', '_', 'été', 'stream', 'error', 'a.b', '\u{10000}'];
const NAMESPACES = [
  'jabber:client',
  'urn:p',
  'urn:q',
  '',
  STREAMS,
  'http://www.w3.org/XML/1998/namespace',
  'http://www.w3.org/2000/xmlns/',
  'urn:&amp;',
];
const TEXTS = [
  'art thou not Romeo',
  '',
  ' ',
  '\n',
  '\r\n',
  '\r',
  '\t',
  'ä€😀',
  ']]',
  ']',
  '>',
  '&amp;',
  '&lt;',
  '&gt;',
  '&quot;',
  '&apos;',
  '&#13;',
  '&#x41;',
  '&#xFFFD;',
  '\ufeff',
  '\u2028',
  '\u0085',
];
/** What mutations put in. */
const FRAGMENTS = [
  '<',
  '>',
  '/',
  '=',
  "'",
  '"',
  '&',
  ';',
  ':',
  '!',
  '?',
  '[',
  ']',
  '-',
  ' ',
  '\n',
  '\r',
  '\u0000',
  '\u000b',
  '\ufffe',
  '×',
  '\u0300',
  '·',
  'xmlns',
  'xmlns:',
  `xmlns:p='urn:p' `,
  `xmlns='' `,
  '<![CDATA[',
  ']]>',
  '<!--',
  '-->',
  '<?xml ',
  '?>',
  '<!DOCTYPE',
  '&#',
  '&#x',
  '&amp;',
  '&bogus;',
  '<a>',
  '</a>',
  '<a/>',
  'p:',
  '1',
  '😀',
  END,
];

/** A whole stream; `isPlain` ones are accepted to their end. */
export function makeStream(random: Random): string {
  const declaration = random.chance(3) ? `<?xml version='1.0'?>` : '';
  let header = HEADER;
  if (random.chance(2)) header = header.replace(' to', ` xmlns:p='urn:p' xmlns:é='urn:p' to`);
  if (random.chance(20)) header = header.replace(`xmlns='jabber:client'`, '');
  let text = declaration + header;
  for (let count = 1 + random.below(3); count > 0; count--) {
    text += makeElement(random, 0) + random.pick(['', '', ' ', '\r\n']);
  }
  return random.chance(2) ? text + END : text;
}

function makeElement(random: Random, depth: number): string {
  const name = random.pick(PREFIXES) + random.pick(LOCAL_NAMES);
  const tag = `<${name}${makeAttributes(random)}${random.pick(['', '', ' ', '\n'])}`;
  if (random.chance(4)) return `${tag}/>`;
  let content = '';
  for (let count = random.below(4); count > 0; count--) {
    if (random.chance(10)) content += `<![CDATA[${random.pick(['', 'a<b&', ']]', ']', '\r\n', '>'])}]]>`;
    else if (depth < 3 && random.chance(2)) content += makeElement(random, depth + 1);
    else content += random.pick(TEXTS);
  }
  return `${tag}>${content}</${name}${random.chance(8) ? ' ' : ''}>`;
}

function makeAttributes(random: Random): string {
  let text = '';
  for (const prefix of ['p', 'q', 'é']) {
    if (random.chance(4))
      text += ` xmlns:${prefix}='${random.pick(['urn:p', 'urn:q', 'urn:p', random.pick(NAMESPACES)])}'`;
  }
  if (random.chance(4)) text += ` xmlns='${random.pick(NAMESPACES)}'`;
  for (let count = random.below(3); count > 0; count--) {
    const quote = random.pick([`'`, '"']);
    const name = random.pick(PREFIXES) + random.pick(['to', 'id', 'lang', 'x', 'y', '__proto__', 'é', 'type']);
    text += ` ${name}${random.pick(['=', '=', ' =\n'])}${quote}${random.pick(TEXTS)}${random.pick(TEXTS)}${quote}`;
  }
  return text;
}

/** Breaks `text` in up to three places. */
export function mutate(text: string, random: Random): string {
  let characters = Array.from(text);
  for (let count = random.below(4); count > 0; count--) {
    const place = random.below(characters.length);
    const length = 1 + random.below(random.chance(4) ? 12 : 2);
    const from = random.below(characters.length);
    const inserted = random.chance(3) ? characters.slice(from, from + length) : Array.from(random.pick(FRAGMENTS));
    const removed = random.below(3) === 0 ? 0 : random.below(length + 1);
    characters = [...characters.slice(0, place), ...inserted, ...characters.slice(place + removed)];
  }
  return characters.join('');
}

/** Cuts `bytes` into random pieces. */
export function cut(bytes: Uint8Array, random: Random): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = start + 1 + random.below(random.chance(3) ? 4 : bytes.length);
    pieces.push(bytes.subarray(start, end));
    start = end;
  }
  return pieces;
}
