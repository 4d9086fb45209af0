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
  // A literal, because Object.create would cost a call; either way no name can reach a prototype.
  const attributes: Record<string, string> = { __proto__: null } as never;
  visitAttributes(source, endOfName(source, 1), (name, start, end) => {
    attributes[name] = attributeValue(source.slice(start, end));
  });
  return attributes;
}

/** Where the value of attribute `name` is in the start tag at the beginning of `source`; null without it. */
export function findValue(source: string, name: string): { readonly start: number; readonly end: number } | null {
  let found: { start: number; end: number } | null = null;
  visitAttributes(source, endOfName(source, 1), (candidate, start, end) => {
    if (candidate === name) found = { start, end };
  });
  return found;
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
      const end = visitAttributes(source, next + 1 + element.name.length, (name, start, stop) =>
        setAttribute(element, name, attributeValue(source.slice(start, stop))),
      );
      const isEmpty = source.charCodeAt(end) === SLASH;
      if (!isEmpty) parent = element;
      index = end + (isEmpty ? 2 : 1);
    }
  }
  const top = root.children[0] as Element;
  top.parent = null;
  return top;
}

/** Sets an attribute as an own property, `__proto__` too. */
export function setAttribute(element: Element, name: string, value: string): void {
  if (name === '__proto__') {
    Object.defineProperty(element.attrs, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    element.attrs[name] = value;
  }
}

/** Calls `visit` with name and range of the raw value of each attribute. @returns where the tag's `>` or `/` is. */
function visitAttributes(
  source: string,
  start: number,
  visit: (name: string, valueStart: number, valueEnd: number) => void,
): number {
  let index = start;
  for (;;) {
    index = skipSpace(source, index);
    const code = source.charCodeAt(index);
    if (code === GREATER || code === SLASH) return index;
    const equals = source.indexOf('=', index);
    let nameEnd = equals;
    while (isSpace(source.charCodeAt(nameEnd - 1))) nameEnd--;
    const quote = skipSpace(source, equals + 1);
    const end = source.indexOf(source.charAt(quote), quote + 1);
    visit(source.slice(index, nameEnd), quote + 1, end);
    index = end + 1;
  }
}

function skipSpace(source: string, start: number): number {
  let index = start;
  while (isSpace(source.charCodeAt(index))) index++;
  return index;
}
