/** The character classes of XML 1.0 (5th edition) and Namespaces in XML 1.0, over the bytes of valid UTF-8. */

export const TAB = 0x09;
export const LINE_FEED = 0x0a;
export const CARRIAGE_RETURN = 0x0d;
export const SPACE = 0x20;

/** White space: production [3] S. */
export function isSpace(code: number): boolean {
  return code === SPACE || code === LINE_FEED || code === CARRIAGE_RETURN || code === TAB;
}

/** Production [2] Char, for a code point. */
export function isCharacter(code: number): boolean {
  if (code < SPACE) return code === TAB || code === LINE_FEED || code === CARRIAGE_RETURN;
  return code <= 0xd7ff || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff);
}

/** Production [4] NameStartChar without the colon, which only Namespaces in XML gives a meaning. */
const NAME_START_RANGES: readonly (readonly [number, number])[] = [
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
  [0xc0, 0xd6],
  [0xd8, 0xf6],
  [0xf8, 0x2ff],
  [0x370, 0x37d],
  [0x37f, 0x1fff],
  [0x200c, 0x200d],
  [0x2070, 0x218f],
  [0x2c00, 0x2fef],
  [0x3001, 0xd7ff],
  [0xf900, 0xfdcf],
  [0xfdf0, 0xfffd],
  [0x10000, 0xeffff],
];

/** What production [4a] NameChar adds. */
const NAME_EXTRA_RANGES: readonly (readonly [number, number])[] = [
  [0x2d, 0x2e],
  [0x30, 0x39],
  [0xb7, 0xb7],
  [0x300, 0x36f],
  [0x203f, 0x2040],
];

function isInRanges(code: number, ranges: readonly (readonly [number, number])[]): boolean {
  return ranges.some(([first, last]) => code >= first && code <= last);
}

/** Whether a code point may start an NCName. */
export function isNameStart(code: number): boolean {
  return isInRanges(code, NAME_START_RANGES);
}

/** Whether a code point may stand inside an NCName. */
export function isNameCharacter(code: number): boolean {
  return isNameStart(code) || isInRanges(code, NAME_EXTRA_RANGES);
}

function sourceOf(ranges: readonly (readonly [number, number])[]): string {
  return ranges.map(([first, last]) => `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`).join('');
}

const NC_NAME = `[${sourceOf(NAME_START_RANGES)}][${sourceOf([...NAME_START_RANGES, ...NAME_EXTRA_RANGES])}]*`;

/** A whole QName (Namespaces in XML 1.0, production [7]). */
export const QUALIFIED_NAME: RegExp = new RegExp(`^(?:${NC_NAME}:)?${NC_NAME}$`, 'u');

/** Finds what production [2] Char forbids; a lone surrogate is found too. */
export const FORBIDDEN_CHARACTER: RegExp = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** Length in bytes of the UTF-8 sequence that starts with `byte`. */
export function sequenceLength(byte: number): 1 | 2 | 3 | 4 {
  if (byte < 0xc0) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}

/** The code point at `index` of valid UTF-8. */
export function codePointAt(bytes: Uint8Array, index: number): number {
  const first = bytes[index] as number;
  const length = sequenceLength(first);
  if (length === 1) return first;
  let code = first & (0xff >> (length + 1));
  for (let offset = 1; offset < length; offset++) code = (code << 6) | ((bytes[index + offset] as number) & 0x3f);
  return code;
}
