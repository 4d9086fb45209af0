import type { Element } from '@xmpp/xml';
import { TransportError } from '../errors.ts';
import type { StreamError } from '../stream-error.ts';
import type { StreamHeader } from '../stream-header.ts';
import { FORBIDDEN_CHARACTER, QUALIFIED_NAME } from './characters.ts';
import { STREAMS_NAMESPACE } from './values.ts';

const CONDITIONS_NAMESPACE = 'urn:ietf:params:xml:ns:xmpp-streams';

/** Our closing tag (RFC 6120 §4.4). */
export const STREAM_END = '</stream:stream>';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/**
 * `text` as character data: a reader gets back exactly these characters. CDATA is never used.
 * @throws TransportError `XMPP_BAD_OPTION` for what XML cannot carry: controls such as U+0000, lone surrogates, U+FFFE.
 */
export function escapeText(text: string): string {
  assertCharacters(text);
  return escapeAll(text, /[&<>\r]/g);
}

/**
 * `value` as an attribute value, fit for either quote: a reader gets back exactly these characters.
 * @throws TransportError `XMPP_BAD_OPTION` for what XML cannot carry: controls such as U+0000, lone surrogates, U+FFFE.
 */
export function escapeAttribute(value: string): string {
  assertCharacters(value);
  return escapeAll(value, /[&<>"'\t\n\r]/g);
}

/** XML declaration and stream header (RFC 6120 §4.7); absent fields are left out. */
export function writeHeader(header: StreamHeader): string {
  const attributes = [
    ['xmlns', header.namespace],
    ['xmlns:stream', STREAMS_NAMESPACE],
    ['from', header.from],
    ['to', header.to],
    ['id', header.id],
    ['version', header.version],
    ['xml:lang', header.lang],
  ];
  return `<?xml version='1.0'?><stream:stream${attributes.map(([name, value]) => attribute(name, value)).join('')}>`;
}

/** `<stream:error/>` (RFC 6120 §4.9.2). Never throws: what XML cannot carry in its text is replaced. */
export function writeStreamError({ condition, text, applicationCondition }: StreamError): string {
  const parts = [`<${condition} xmlns='${CONDITIONS_NAMESPACE}'/>`];
  if (text !== null)
    parts.push(`<text xmlns='${CONDITIONS_NAMESPACE}' xml:lang='en'>${escapeText(repair(text))}</text>`);
  if (applicationCondition !== null && QUALIFIED_NAME.test(applicationCondition.name)) {
    const { name, namespace } = applicationCondition;
    parts.push(`<${name} xmlns='${escapeAttribute(repair(namespace))}'/>`);
  }
  return `<stream:error>${parts.join('')}</stream:error>`;
}

/**
 * Serialises an element so that it stands alone: namespaces it takes from its ancestors are declared on it. Only the
 * prefix `stream` may stay undeclared, because every stream header declares it.
 * @throws TransportError `XMPP_BAD_OPTION` for what is no XML: bad names, forbidden characters, undeclared prefixes.
 */
export function writeElement(element: Element): string {
  const taken = new Map<string, string>();
  const defaultNamespace = (element.attrs.xmlns ?? null) === null ? element.parent?.findNS() : undefined;
  if (defaultNamespace !== undefined) taken.set('xmlns', defaultNamespace);
  const rest = writeRest(element, new Set(['xml', 'stream']), (prefix) => {
    const namespace = element.parent?.findNS(prefix);
    if (namespace === undefined) refuseOption(`the prefix ${JSON.stringify(prefix)} is not declared`);
    taken.set(`xmlns:${prefix}`, namespace);
  });
  const declarations = [...taken].map(([name, value]) => attribute(name, value));
  return `<${element.name}${declarations.join('')}${rest}`;
}

/** What follows an element's name. `onUndeclared` is told of prefixes that are not in `scope`. */
function writeRest(element: Element, scope: ReadonlySet<string>, onUndeclared: (prefix: string) => void): string {
  const attributes = Object.entries(element.attrs).filter(([, value]) => value !== undefined && value !== null);
  const inner = scopeWithin(attributes, scope);
  let text = '';
  assertName(element.name, inner, onUndeclared);
  for (const [name, value] of attributes) {
    assertName(name, inner, onUndeclared);
    text += attribute(name, String(value));
  }
  if (element.children.length === 0) return `${text}/>`;
  text += '>';
  for (const child of element.children) {
    if (child === undefined || child === null) continue;
    if (typeof child === 'object') text += `<${child.name}${writeRest(child, inner, onUndeclared)}`;
    else text += escapeText(String(child));
  }
  return `${text}</${element.name}>`;
}

function scopeWithin(attributes: readonly [string, unknown][], scope: ReadonlySet<string>): ReadonlySet<string> {
  const declared = attributes.filter(([name]) => name.startsWith('xmlns:'));
  if (declared.length === 0) return scope;
  if (declared.some(([, value]) => value === '')) refuseOption('a prefix is bound to no namespace');
  return new Set([...scope, ...declared.map(([name]) => name.slice('xmlns:'.length))]);
}

function assertName(name: string, scope: ReadonlySet<string>, onUndeclared: (prefix: string) => void): void {
  if (!QUALIFIED_NAME.test(name)) refuseOption(`${JSON.stringify(name)} is no XML name`);
  const prefix = name.slice(0, Math.max(0, name.indexOf(':')));
  if (prefix !== '' && prefix !== 'xmlns' && !scope.has(prefix)) onUndeclared(prefix);
}

/** One attribute with the space before it; nothing where there is no value. */
export function attribute(name: string | undefined, value: string | undefined): string {
  return value === undefined ? '' : ` ${name}='${escapeAttribute(value)}'`;
}

function escapeAll(text: string, pattern: RegExp): string {
  return text.search(pattern) === -1 ? text : text.replace(pattern, (found) => ESCAPES[found] ?? found);
}

function assertCharacters(text: string): void {
  if (FORBIDDEN_CHARACTER.test(text)) refuseOption('a character that XML cannot carry');
}

function repair(text: string): string {
  return FORBIDDEN_CHARACTER.test(text) ? text.replace(new RegExp(FORBIDDEN_CHARACTER, 'gu'), '\uFFFD') : text;
}

function refuseOption(message: string): never {
  throw new TransportError('XMPP_BAD_OPTION', message);
}
