import { END, HEADER, type Random, STREAMS } from './record.ts';

/** Makes streams that use every corner of the grammar, and breaks them. Everything follows from the random numbers. */

/** One in this many places breaks a rule of the namespaces already before any mutation. */
const RARELY = 60;

const PREFIXES = ['p', 'q', 'é', 'c'];
const LOCAL_NAMES = ['message', 'iq', 'body', 'a', 'b', 'x-1', '_', 'été', 'stream', 'error', 'a.b', '\u{10000}'];
const ATTRIBUTE_NAMES = ['to', 'id', 'lang', 'x', 'y', '__proto__', 'é', 'type'];
const NAMESPACES = ['urn:p', 'urn:q', 'urn:p', 'urn:&amp;', 'http://example.org/'];
const ODD_NAMESPACES = [
  'jabber:client',
  '',
  STREAMS,
  'http://www.w3.org/XML/1998/namespace',
  'http://www.w3.org/2000/xmlns/',
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

/** A whole stream, most often one that is accepted to its end. */
export function makeStream(random: Random): string {
  const declaration = random.chance(3) ? `<?xml version='1.0'?>` : '';
  const scope = ['xml', 'stream'];
  let header = HEADER;
  if (random.chance(2)) {
    header = header.replace(' to', ` xmlns:p='urn:p' xmlns:é='urn:p' to`);
    scope.push('p', 'é');
  }
  if (random.chance(RARELY)) header = header.replace(`xmlns='jabber:client'`, '');
  let text = declaration + header;
  for (let count = 1 + random.below(3); count > 0; count--) {
    text += makeElement(random, scope, 0) + random.pick(['', '', ' ', '\r\n']);
  }
  return random.chance(2) ? text + END : text;
}

function makeElement(random: Random, outerScope: readonly string[], depth: number): string {
  const scope = [...outerScope];
  const declarations = makeDeclarations(random, scope);
  const local = random.pick(LOCAL_NAMES);
  const prefix = makePrefix(random, scope);
  // A stream within the stream is refused, so there are few of them.
  const name = prefix === 'stream:' && !random.chance(RARELY) ? 'stream:error' : prefix + local;
  const tag = `<${name}${declarations}${makeAttributes(random, scope)}${random.pick(['', '', ' ', '\n'])}`;
  if (random.chance(4)) return `${tag}/>`;
  let content = '';
  for (let count = random.below(4); count > 0; count--) {
    if (random.chance(10)) content += `<![CDATA[${random.pick(['', 'a<b&', ']]', ']', '\r\n', '>'])}]]>`;
    else if (depth < 3 && random.chance(2)) content += makeElement(random, scope, depth + 1);
    else content += random.pick(TEXTS);
  }
  return `${tag}>${content}</${name}${random.chance(8) ? ' ' : ''}>`;
}

function makePrefix(random: Random, scope: readonly string[]): string {
  if (random.chance(RARELY)) return `${random.pick(PREFIXES)}:`;
  return random.chance(2) ? `${random.pick(scope)}:` : '';
}

function makeDeclarations(random: Random, scope: string[]): string {
  const namespace = (): string => random.pick(random.chance(RARELY) ? ODD_NAMESPACES : NAMESPACES);
  let text = '';
  for (const prefix of PREFIXES.slice(0, 3)) {
    if (!random.chance(5)) continue;
    text += ` xmlns:${prefix}='${namespace()}'`;
    scope.push(prefix);
  }
  return random.chance(4) ? `${text} xmlns='${random.chance(4) ? '' : namespace()}'` : text;
}

function makeAttributes(random: Random, scope: readonly string[]): string {
  const used = new Set<string>();
  let text = '';
  for (let count = random.below(3); count > 0; count--) {
    const quote = random.pick([`'`, '"']);
    const local = random.pick(ATTRIBUTE_NAMES);
    if (used.has(local) && !random.chance(RARELY)) continue;
    used.add(local);
    const name = makePrefix(random, scope) + local;
    text += ` ${name}${random.pick(['=', '=', ' =\n'])}${quote}${random.pick(TEXTS)}${random.pick(TEXTS)}${quote}`;
  }
  return text;
}

/** Breaks `text` in up to three places. */
export function mutate(text: string, random: Random): string {
  let mutated = text;
  for (let count = random.below(4); count > 0; count--) {
    const place = random.below(mutated.length);
    const length = 1 + random.below(random.chance(4) ? 12 : 2);
    const from = random.below(mutated.length);
    const inserted = random.chance(3) ? mutated.slice(from, from + length) : random.pick(FRAGMENTS);
    const removed = random.chance(3) ? 0 : random.below(length + 1);
    mutated = mutated.slice(0, place) + inserted + mutated.slice(place + removed);
  }
  // Halves of surrogate pairs become U+FFFD, as on any wire.
  return Buffer.from(mutated).toString();
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
