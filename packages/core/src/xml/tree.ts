import { Element } from '@xmpp/xml';
import { isSpace } from './characters.ts';
import { attributeValue, normalizeLineEnds, textValue } from './values.ts';

/**
 * Takes apart what the tokenizer has accepted. None of this checks anything: `source` is one well-formed element.
 */

const SLASH = 0x2f;
const GREATER = 0x3e;
const CDATA_OPENING = '<![CDATA[';
const CDATA_CLOSING = ']]>';

/** Attributes by their names as written, values unescaped. */
export type Attributes = Readonly<Record<string, string>>;

/** The attributes of the start tag at the beginning of `source`, in an object without a prototype. */
export function readAttributes(source: string): Attributes {
  const attributes: Record<string, string> = Object.create(null);
  const cursor = new AttributeCursor(source, endOfName(source, 1));
  while (cursor.next()) attributes[cursor.name] = cursor.value;
  return attributes;
}

/** Finds attribute `name` in the start tag at the beginning of `source`; null without it. */
export function findAttribute(source: string, name: string): AttributeCursor | null {
  const cursor = new AttributeCursor(source, endOfName(source, 1));
  while (cursor.next()) if (cursor.isCalled(name)) return cursor;
  return null;
}

/** Where the name that starts at `start` ends. */
export function endOfName(source: string, start: number): number {
  let index = start;
  for (;;) {
    const code = source.charCodeAt(index);
    if (isSpace(code) || code === GREATER || code === SLASH) return index;
    index++;
  }
}

/** Builds the tree of the element `source`. */
export function readTree(source: string): Element {
  const root = new Element('');
  let parent: Element = root;
  // Text that CDATA sections and references have cut is one text (XML-21 of the conformance table).
  let text = '';
  let index = 0;
  while (index < source.length) {
    const next = source.indexOf('<', index);
    if (next > index) text += textValue(source.slice(index, next));
    if (source.startsWith(CDATA_OPENING, next)) {
      const end = source.indexOf(CDATA_CLOSING, next);
      text += normalizeLineEnds(source.slice(next + CDATA_OPENING.length, end));
      index = end + CDATA_CLOSING.length;
      continue;
    }
    if (text !== '') parent.t(text);
    text = '';
    if (source.charCodeAt(next + 1) === SLASH) {
      index = source.indexOf('>', next) + 1;
      parent = parent.up() as Element;
    } else {
      const element = new Element(source.slice(next + 1, endOfName(source, next + 1)));
      parent.cnode(element);
      const cursor = new AttributeCursor(source, next + 1 + element.name.length);
      while (cursor.next()) setAttribute(element, cursor.name, cursor.value);
      const isEmpty = source.charCodeAt(cursor.position) === SLASH;
      if (!isEmpty) parent = element;
      index = cursor.position + (isEmpty ? 2 : 1);
    }
  }
  const top = root.children[0] as Element;
  top.parent = null;
  return top;
}

/** Sets an attribute as an own property, `__proto__` too. */
function setAttribute(element: Element, name: string, value: string): void {
  if (name === '__proto__') {
    Object.defineProperty(element.attrs, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    element.attrs[name] = value;
  }
}

/** Goes through the attributes of one start tag. */
export class AttributeCursor {
  /** Range of the raw value. */
  valueStart = 0;
  valueEnd = 0;
  /** Behind what was read: in the end, at the tag's `>` or `/`. */
  position: number;
  readonly #source: string;
  #nameStart = 0;
  #nameEnd = 0;

  /** @param position behind the tag's name, or anywhere between two attributes. */
  constructor(source: string, position: number) {
    this.#source = source;
    this.position = position;
  }

  get name(): string {
    return this.#source.slice(this.#nameStart, this.#nameEnd);
  }

  get value(): string {
    return attributeValue(this.#source.slice(this.valueStart, this.valueEnd));
  }

  isCalled(name: string): boolean {
    return name.length === this.#nameEnd - this.#nameStart && this.#source.startsWith(name, this.#nameStart);
  }

  /** Reads the next attribute; false behind the last one. */
  next(): boolean {
    const source = this.#source;
    const start = skipSpace(source, this.position);
    const code = source.charCodeAt(start);
    this.position = start;
    if (code === GREATER || code === SLASH) return false;
    const equals = source.indexOf('=', start);
    const quote = skipSpace(source, equals + 1);
    this.#nameStart = start;
    this.#nameEnd = equals;
    while (isSpace(source.charCodeAt(this.#nameEnd - 1))) this.#nameEnd--;
    this.valueStart = quote + 1;
    this.valueEnd = source.indexOf(source.charAt(quote), quote + 1);
    this.position = this.valueEnd + 1;
    return true;
  }
}

function skipSpace(source: string, start: number): number {
  let index = start;
  while (isSpace(source.charCodeAt(index))) index++;
  return index;
}
