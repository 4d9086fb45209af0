import { refuse } from './refuse.ts';

const S = '[ \\t\\r\\n]';
const attribute = (name: string, value: string): string => `${S}+${name}${S}*=${S}*(?:"(${value})"|'(${value})')`;

/** XML 1.0, productions [23] to [26], [32], [80] and [81]. */
const DECLARATION: RegExp = new RegExp(
  `^<\\?xml${attribute('version', '1\\.[0-9]+')}` +
    `(?:${attribute('encoding', '[A-Za-z][A-Za-z0-9._-]*')})?` +
    `(?:${attribute('standalone', 'yes|no')})?${S}*\\?>$`,
);

/** Every byte that can be in an XML declaration before its `?>`. */
export const DECLARATION_BYTES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[ \t\r\nA-Za-z0-9._='"-]/.test(String.fromCharCode(byte)) && byte < 0x80 ? 1 : 0,
);

/** Judges a whole XML declaration (RFC 6120 §11.5, §11.6): version 1.0 and UTF-8, nothing that needs a DTD. */
export function checkDeclaration(declaration: string): void {
  const found = DECLARATION.exec(declaration);
  if (found === null) return refuse('not-well-formed', 'the XML declaration');
  const version = found[1] ?? found[2];
  const encoding = found[3] ?? found[4] ?? 'UTF-8';
  const standalone = found[5] ?? found[6] ?? 'yes';
  if (version !== '1.0') refuse('restricted-xml', 'only XML 1.0 is spoken here');
  if (encoding.toUpperCase() !== 'UTF-8') refuse('unsupported-encoding', 'only UTF-8 is spoken here');
  if (standalone !== 'yes') refuse('restricted-xml', 'there is no DTD to depend on');
}
