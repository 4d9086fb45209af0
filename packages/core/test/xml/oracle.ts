import type { Element } from '@xmpp/xml';
import { SaxesParser, type SaxesTagNS } from 'saxes';

/** A first-level element in a form in which two readers can be compared: expanded names, sorted attributes, joined text. */
export interface Node {
  readonly name: string;
  readonly written: string;
  readonly attributes: readonly string[];
  readonly children: (Node | string)[];
}

export interface Verdict {
  /** The first-level elements that were complete before the first error. */
  readonly elements: readonly Node[];
  readonly headerSeen: boolean;
  readonly ended: boolean;
  /** The first error before the end of the root. */
  readonly error: string | null;
}

const XMLNS = 'http://www.w3.org/2000/xmlns/';

/**
 * Where saxes 6 is more lenient than Namespaces in XML: it trims namespace names, and lets a local part begin with what
 * may only follow (`p:1`). And it takes U+FEFF at the very beginning for a mark and not for text, as RFC 6120 §11.6 has it.
 */
const TRIMMED = String.raw`(?:\s|&#(?:0*(?:9|10|13|32)|x0*(?:9|[aA]|[dD]|20));)`;
const LENIENCIES = [
  new RegExp(`xmlns[^=]*=\\s*(?:["']${TRIMMED}|'[^'<]*${TRIMMED}'|"[^"<]*${TRIMMED}")`),
  /:(?:[-.0-9·]|\u0300)/,
  /^\uFEFF/,
];

export function isWhereSaxesIsLenient(text: string): boolean {
  return LENIENCIES.some((leniency) => leniency.test(text));
}

/** What saxes, an XML 1.0 parser with namespaces, says of `text`. */
export function judge(text: string): Verdict {
  const parser = new SaxesParser({ xmlns: true, position: false });
  const open: Node[] = [];
  const elements: Node[] = [];
  let error: string | null = null;
  let headerSeen = false;
  let ended = false;
  let isFollowed = false;
  const isOver = (): boolean => error !== null || ended;
  parser.on('error', ({ message }) => {
    // A wrong end tag closes elements first and is reported after that.
    const isLate = ended && !isFollowed && message.includes('unexpected close tag');
    if (!isOver() || isLate) error ??= message;
  });
  parser.on('opentag', (tag) => {
    isFollowed ||= ended;
    if (isOver()) return;
    const node = nodeOf(tag);
    if (open.length > 1) open.at(-1)?.children.push(node);
    else if (open.length === 1) elements.push(node);
    else headerSeen = true;
    open.push(node);
  });
  parser.on('closetag', () => {
    if (isOver()) return;
    open.pop();
    ended = open.length === 0;
  });
  const onText = (text: string): void => {
    if (!isOver() && open.length > 1) addText(open.at(-1) as Node, text);
  };
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.write(text);
  // An element that was open at the first error is not complete.
  return { elements: open.length > 1 ? elements.slice(0, -1) : elements, headerSeen, ended, error };
}

function addText({ children }: Node, text: string): void {
  if (text === '') return;
  const last = children.at(-1);
  if (typeof last === 'string') children[children.length - 1] = last + text;
  else children.push(text);
}

function nodeOf(tag: SaxesTagNS): Node {
  const attributes = Object.values(tag.attributes)
    .filter(({ uri }) => uri !== XMLNS)
    .map(({ uri, local, value }) => `{${uri}}${local}=${value}`)
    .sort();
  return { name: `{${tag.uri}}${tag.local}`, written: tag.name, attributes, children: [] };
}

/** The same form of a tree of ours, which has to declare all that it uses. */
export function nodeFrom(element: Element, scope: ReadonlyMap<string, string> = new Map()): Node {
  const inner = new Map(scope);
  const entries = Object.entries(element.attrs) as [string, string][];
  for (const [name, value] of entries) {
    if (name === 'xmlns') inner.set('', value);
    else if (name.startsWith('xmlns:')) inner.set(name.slice(6), value);
  }
  const expand = (name: string, isAttribute: boolean): string => {
    const colon = name.indexOf(':');
    const prefix = name.slice(0, Math.max(0, colon));
    if (prefix === 'xml') return `{http://www.w3.org/XML/1998/namespace}${name.slice(colon + 1)}`;
    const namespace = prefix === '' && isAttribute ? '' : inner.get(prefix);
    if (namespace === undefined && prefix !== '') throw new Error(`undeclared prefix ${prefix}`);
    return `{${namespace ?? ''}}${name.slice(colon + 1)}`;
  };
  return {
    name: expand(element.name, false),
    written: element.name,
    attributes: entries
      .filter(([name]) => name !== 'xmlns' && !name.startsWith('xmlns:'))
      .map(([name, value]) => `${expand(name, true)}=${value}`)
      .sort(),
    children: element.children.map((child) => (typeof child === 'string' ? child : nodeFrom(child as Element, inner))),
  };
}
