/** One DER encoding (ITU-T X.690): tag, definite length, contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents);
  return Buffer.concat([Uint8Array.of(tag, ...lengthOf(content.length)), content]);
}

export const sequence = (...elements: readonly Uint8Array[]): Uint8Array => der(0x30, ...elements);
export const set = (...elements: readonly Uint8Array[]): Uint8Array => der(0x31, ...elements);
export const boolean = (value: boolean): Uint8Array => der(0x01, Uint8Array.of(value ? 0xff : 0));
export const octetString = (bytes: Uint8Array): Uint8Array => der(0x04, bytes);
export const utf8String = (text: string): Uint8Array => der(0x0c, Buffer.from(text, 'utf8'));
export const ia5String = (text: string): Uint8Array => der(0x16, Buffer.from(text, 'latin1'));
/** `[number]` around whole encodings: EXPLICIT, or an IMPLICIT constructed one. */
export const context = (number: number, ...elements: readonly Uint8Array[]): Uint8Array =>
  der(0xa0 | number, ...elements);
/** `[number]` IMPLICIT around primitive contents. */
export const contextPrimitive = (number: number, content: Uint8Array): Uint8Array => der(0x80 | number, content);

/** A non-negative INTEGER, from a number below 256 or from big-endian bytes without leading zeros. */
export function integer(value: number | Uint8Array): Uint8Array {
  const bytes = typeof value === 'number' ? Uint8Array.of(value) : value;
  const sign = (bytes[0] ?? 0) >= 0x80 ? [0] : [];
  return der(0x02, Uint8Array.from(sign), bytes);
}

/** A BIT STRING of whole octets, or with `unusedBits` at its end. */
export const bitString = (bytes: Uint8Array, unusedBits = 0): Uint8Array => der(0x03, Uint8Array.of(unusedBits), bytes);

/** A named bit list (X.690 §11.2.2: trailing zero bits left out) with the bits of the given numbers set. */
export function namedBits(numbers: readonly number[]): Uint8Array {
  const last = Math.max(...numbers, -1);
  const bytes = new Uint8Array(Math.ceil((last + 1) / 8));
  for (const number of numbers) bytes[number >> 3] = (bytes[number >> 3] ?? 0) | (0x80 >> (number & 7));
  return bitString(bytes, (8 - ((last + 1) % 8)) % 8);
}

export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return der(0x06, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050 on, both in whole seconds of UTC. */
export function time(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/\.\d+/, '').replace(/[-:T]/g, '');
  return date.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(digits.slice(2), 'latin1'))
    : der(0x18, Buffer.from(digits, 'latin1'));
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

function base128(value: number): number[] {
  const digits = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift((rest % 128) | 0x80);
  return digits;
}
