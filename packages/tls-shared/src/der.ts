/** Tags of ITU-T X.690 that X.509 uses; all fit one octet. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  enumerated: 0x0a,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** `[number]` before a primitive (IMPLICIT) encoding. */
export const contextTag = (number: number): number => 0x80 | number;
/** `[number]` around a constructed encoding. */
export const constructedTag = (number: number): number => 0xa0 | number;

/** Bytes are not the DER that was expected. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** One tag, length and contents; the bytes are views of the input. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag and length included. */
  readonly encoding: Uint8Array;
}

/**
 * Reads DER strictly: definite lengths in their shortest form, nothing behind the end. Bytes of a peer may be
 * anything: whatever is wrong throws a {@link DerError}, and no length read is believed before it is checked.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** The tag of the next element, or null at the end. */
  get peek(): number | null {
    return this.#bytes[this.#offset] ?? null;
  }

  next(tag?: number): DerElement {
    const start = this.#offset;
    const found = this.#octet();
    if (tag !== undefined && found !== tag) throw new DerError(`Tag ${found} where ${tag} was expected`);
    if ((found & 0x1f) === 0x1f) throw new DerError('Tag of more than one octet');
    const length = this.#length();
    if (length > this.#bytes.length - this.#offset) throw new DerError('Length beyond the end');
    const content = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return { tag: found, content, encoding: this.#bytes.subarray(start, this.#offset) };
  }

  /** The next element if it has this tag. */
  optional(tag: number): DerElement | null {
    return this.peek === tag ? this.next(tag) : null;
  }

  /** A reader of the contents of the next element. */
  enter(tag: number): DerReader {
    return new DerReader(this.next(tag).content);
  }

  /** Calls `read` until the end is reached. */
  all<T>(read: (reader: this) => T): T[] {
    const found: T[] = [];
    while (!this.done) found.push(read(this));
    return found;
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.done) throw new DerError('Bytes behind the end');
  }

  #octet(): number {
    const octet = this.#bytes[this.#offset];
    if (octet === undefined) throw new DerError('Cut off');
    this.#offset += 1;
    return octet;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    if (octets === 0 || octets > 3) throw new DerError('Indefinite or too long length');
    let length = 0;
    for (let read = 0; read < octets; read += 1) length = length * 256 + this.#octet();
    if (length < 0x80 || length < 256 ** (octets - 1)) throw new DerError('Length not in its shortest form');
    return length;
  }
}

/** Reads all of `bytes` as one element. */
export function readWhole(bytes: Uint8Array, tag: number): DerReader {
  const outer = new DerReader(bytes);
  const inner = outer.enter(tag);
  outer.end();
  return inner;
}

export function readBoolean({ content }: DerElement): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new DerError('Not a DER BOOLEAN');
  return content[0] === 0xff;
}

/** A non-negative INTEGER below 2^31. */
export function readSmallInteger({ content }: DerElement): number {
  const [first = 0x80, second = 0] = content;
  if (content.length > 4 || first >= 0x80) throw new DerError('INTEGER negative, empty or too large');
  if (content.length > 1 && first === 0 && second < 0x80) throw new DerError('INTEGER not in its shortest form');
  return content.reduce((value, octet) => value * 256 + octet, 0);
}

/** Dotted decimals. */
export function readObjectIdentifier({ content }: DerElement): string {
  const arcs: number[] = [];
  let value = 0;
  let inside = false;
  for (const octet of content) {
    if (!inside && octet === 0x80) throw new DerError('Arc not in its shortest form');
    value = value * 128 + (octet & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER) throw new DerError('Arc too large');
    inside = octet >= 0x80;
    if (inside) continue;
    if (arcs.length === 0)
      arcs.push(Math.min(Math.floor(value / 40), 2), value - 40 * Math.min(Math.floor(value / 40), 2));
    else arcs.push(value);
    value = 0;
  }
  if (inside || arcs.length === 0) throw new DerError('OBJECT IDENTIFIER cut off');
  return arcs.join('.');
}

/** The numbers of the bits set in a named bit list. */
export function readNamedBits({ content }: DerElement): ReadonlySet<number> {
  const unused = content[0] ?? 8;
  if (unused > 7 || (content.length === 1 && unused !== 0)) throw new DerError('BIT STRING with a wrong count');
  const bits = new Set<number>();
  for (let bit = 0; bit < (content.length - 1) * 8 - unused; bit += 1) {
    if ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) bits.add(bit);
  }
  return bits;
}

/** A BIT STRING that holds octets. */
export function readWholeOctets({ content }: DerElement): Uint8Array {
  if (content[0] !== 0) throw new DerError('BIT STRING that is not of whole octets');
  return content.subarray(1);
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 has them, in milliseconds since the epoch. */
export function readTime({ tag, content }: DerElement): number {
  const text = latin1(content);
  const digits = tag === TAG.utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
  const match = TIME.exec(digits);
  if (match === null || (tag !== TAG.utcTime && tag !== TAG.generalizedTime)) throw new DerError('Not a time');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const iso = date
    .toISOString()
    .replace(/\.000Z$/, 'Z')
    .replace(/[-:T]/g, '');
  if (iso !== digits) throw new DerError('A time that does not exist');
  return date.getTime();
}

/** One character for each octet. */
export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
