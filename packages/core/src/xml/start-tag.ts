import type { ByteWindow } from './byte-window.ts';
import { refuse } from './refuse.ts';

/** What an attribute is to Namespaces in XML. `xml:` ones are plain: no other prefix can mean the same. */
export type AttributeKind = 'plain' | 'prefixed' | 'declaration';

const XMLNS: Buffer = Buffer.from('xmlns');
const XML: Buffer = Buffer.from('xml');

/**
 * The start tag being read, as ranges of bytes relative to the window's base, which stay true when the bytes move. One
 * object serves all tags of a stream.
 */
export class StartTag {
  nameStart = 0;
  nameEnd = 0;
  /** Where the colon of the name is, 0 without one. */
  nameColon = 0;
  attributeCount = 0;
  declarationCount = 0;
  prefixedCount = 0;
  /** A value has a reference: raw and real values differ. */
  hasReference = false;
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Where the colon of each attribute's name is, 0 without one. */
  readonly colons: number[] = [];
  readonly kinds: AttributeKind[] = [];
  readonly valueStarts: number[] = [];
  readonly valueEnds: number[] = [];
  /** A bit for each name seen, so that names are compared only when they may be equal. */
  #seen = 0;

  begin(nameStart: number): void {
    this.nameStart = nameStart;
    this.nameColon = 0;
    this.attributeCount = 0;
    this.declarationCount = 0;
    this.prefixedCount = 0;
    this.hasReference = false;
    this.#seen = 0;
  }

  beginAttribute(start: number): void {
    this.starts[this.attributeCount] = start;
    this.colons[this.attributeCount] = 0;
  }

  set attributeColon(colon: number) {
    this.colons[this.attributeCount] = colon;
  }

  get attributeColon(): number {
    return this.colons[this.attributeCount] as number;
  }

  endAttributeName({ bytes, base }: ByteWindow, end: number): void {
    const index = this.attributeCount;
    const start = this.starts[index] as number;
    const colon = this.colons[index] as number;
    this.ends[index] = end;
    const firstLength = (colon === 0 ? end : colon) - start;
    if (firstLength === XMLNS.length && isSame(bytes, base + start, XMLNS, 0, XMLNS.length)) {
      this.kinds[index] = 'declaration';
      this.declarationCount++;
    } else if (colon === 0 || (firstLength === XML.length && isSame(bytes, base + start, XML, 0, XML.length))) {
      this.kinds[index] = 'plain';
    } else {
      this.kinds[index] = 'prefixed';
      this.prefixedCount++;
    }
    const bit = 1 << (((bytes[base + start] as number) + 7 * (bytes[base + end - 1] as number) + (end - start)) & 31);
    if ((this.#seen & bit) !== 0 && this.#isRepeated(bytes, base, start, end)) {
      refuse('not-well-formed', 'an attribute is given twice');
    }
    this.#seen |= bit;
  }

  endAttribute(valueStart: number, valueEnd: number): void {
    this.valueStarts[this.attributeCount] = valueStart;
    this.valueEnds[this.attributeCount] = valueEnd;
    this.attributeCount++;
  }

  #isRepeated(bytes: Buffer, base: number, start: number, end: number): boolean {
    for (let index = 0; index < this.attributeCount; index++) {
      const other = this.starts[index] as number;
      if ((this.ends[index] as number) - other !== end - start) continue;
      if (isSame(bytes, base + other, bytes, base + start, end - start)) return true;
    }
    return false;
  }
}

/** Whether two runs of bytes are equal. */
export function isSame(left: Buffer, leftStart: number, right: Buffer, rightStart: number, length: number): boolean {
  for (let offset = 0; offset < length; offset++) {
    if (left[leftStart + offset] !== right[rightStart + offset]) return false;
  }
  return true;
}
