/** The namespaces that XML and XMPP bind themselves. */
export const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
export const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';
export const STREAMS_NAMESPACE = 'http://etherx.jabber.org/streams';

/** The five entities XMPP allows (RFC 6120 §11.1). */
export const PREDEFINED_ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

/** What `raw` character data stands for: line ends normalised (XML 1.0 §2.11), references replaced. Well-formed input only. */
export function textValue(raw: string): string {
  return replaceReferences(normalizeLineEnds(raw));
}

/** What a `raw` attribute value stands for, normalised as XML 1.0 §3.3.3 says. Well-formed input only. */
export function attributeValue(raw: string): string {
  // One look decides for nearly all values.
  return /[&\t\n\r]/.test(raw) ? replaceReferences(raw.replace(/\r\n|[\t\n\r]/g, ' ')) : raw;
}

/** XML 1.0 §2.11. */
export function normalizeLineEnds(raw: string): string {
  return raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw;
}

function replaceReferences(text: string): string {
  return text.includes('&') ? text.replace(/&([^;]+);/g, (_, name: string) => referenceValue(name)) : text;
}

function referenceValue(name: string): string {
  if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
  if (name.startsWith('#')) return String.fromCodePoint(Number.parseInt(name.slice(1), 10));
  return PREDEFINED_ENTITIES.get(name) ?? '';
}
