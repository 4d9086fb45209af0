import { codePointAt, isCharacter, isNameCharacter, isNameStart, SPACE, sequenceLength } from './characters.ts';
import { refuse } from './refuse.ts';

/**
 * The inner loops of the tokenizer: each passes as many bytes as belong to one token, at most to about `stop` (never
 * through the middle of a character), and tells where it came to. A table and its loop are in one function each, so
 * that the engine keeps the table in a register.
 */

const NAME_BYTE = 1;
/** First byte of a character outside ASCII: the code point decides. */
const WIDE_BYTE = 2;

/** For each byte: 0 when it cannot be in an NCName, else one of the above. */
const NAME_CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return WIDE_BYTE;
  return isNameCharacter(byte) ? NAME_BYTE : 0;
});

/** Bytes that end a run of harmless ones: `delimiters`, forbidden controls, and what U+FFFE and U+FFFF start with. */
function stopTable(delimiters: string): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    if (byte === 0xef) return 1;
    return delimiters.includes(String.fromCharCode(byte)) || (byte < SPACE && !isCharacter(byte)) ? 1 : 0;
  });
}

const TEXT_STOPS = stopTable('<&>');
const VALUE_STOPS = stopTable('<&\'"');
const CDATA_STOPS = stopTable('>');

/** Passes character data up to `<`, `&`, `>` or what may be forbidden. */
export function passText(bytes: Uint8Array, start: number, stop: number): number {
  return passHarmless(bytes, start, stop, TEXT_STOPS);
}

/** Passes an attribute value up to a quote, `<`, `&` or what may be forbidden. */
export function passValue(bytes: Uint8Array, start: number, stop: number): number {
  return passHarmless(bytes, start, stop, VALUE_STOPS);
}

/** Passes a CDATA section up to `>` or what may be forbidden. */
export function passCdata(bytes: Uint8Array, start: number, stop: number): number {
  return passHarmless(bytes, start, stop, CDATA_STOPS);
}

function passHarmless(bytes: Uint8Array, start: number, stop: number, stops: Uint8Array): number {
  let index = start;
  while (index < stop && stops[bytes[index] as number] === 0) index++;
  return index;
}

/** Passes the character at `index`, one that the above stopped at because it may be forbidden. */
export function passUnusual(bytes: Uint8Array, index: number): number {
  if (!isCharacter(codePointAt(bytes, index))) refuse('not-well-formed', 'a character that XML forbids');
  return index + sequenceLength(bytes[index] as number);
}

/** Passes the first character of an NCName. */
export function passNameStart(bytes: Uint8Array, index: number): number {
  const byte = bytes[index] as number;
  if (byte >= 0x61 && byte <= 0x7a) return index + 1;
  if (!isNameStart(codePointAt(bytes, index))) refuse('not-well-formed', 'a name that starts wrongly');
  return index + sequenceLength(byte);
}

/** Passes what can be in an NCName. */
export function passName(bytes: Uint8Array, start: number, stop: number): number {
  const classes = NAME_CLASS;
  let index = start;
  while (index < stop) {
    const kind = classes[bytes[index] as number];
    if (kind === NAME_BYTE) {
      index++;
    } else if (kind === WIDE_BYTE) {
      if (!isNameCharacter(codePointAt(bytes, index))) refuse('not-well-formed', 'a character that no name has');
      index += sequenceLength(bytes[index] as number);
    } else {
      break;
    }
  }
  return index;
}

/** Whether the character at `index` can be in an NCName. */
export function isNameAt(bytes: Uint8Array, index: number): boolean {
  return isNameCharacter(codePointAt(bytes, index));
}
