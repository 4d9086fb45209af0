import { type DerElement, type DerReader, latin1, readWhole, TAG } from './der.ts';

/** One relative distinguished name: attributes with their values, in no order. */
export interface RelativeName {
  /** Equal for equal ones (RFC 5280 §7.1). */
  readonly text: string;
  /** Whether another text means another name for certain; not so for string types that are not understood. */
  readonly certain: boolean;
}

const PRINTABLE_STRING = 0x13;
/** Of values that are compared as text, whichever of these types it stands in. */
const TEXT_TYPES: ReadonlySet<number> = new Set([PRINTABLE_STRING, TAG.utf8String, TAG.ia5String]);

/** Stand between attributes and between relative names; no text that was prepared has them. */
const BETWEEN_ATTRIBUTES = '\u0001';
const BETWEEN_NAMES = '\u0000';

/**
 * Reads a Name (RFC 5280 §4.1.2.4).
 * @throws DerError for what is none.
 */
export function readDistinguishedName(der: Uint8Array): readonly RelativeName[] {
  return readWhole(der, TAG.sequence).all((list) => {
    const attributes = list.enter(TAG.set).all(readAttribute);
    return {
      text: attributes
        .map(({ text }) => text)
        .sort()
        .join(BETWEEN_ATTRIBUTES),
      certain: attributes.every(({ certain }) => certain),
    };
  });
}

/** The same text for names that are the same (RFC 5280 §7.1), empty for the empty name. */
export function textOfName(der: Uint8Array): string {
  return readDistinguishedName(der)
    .map(({ text }) => text)
    .join(BETWEEN_NAMES);
}

/** emailAddress, 1.2.840.113549.1.9.1, as {@link readTypeAndValue} has it. */
const EMAIL_ADDRESS = '2a864886f70d010901';

/** The e-mail addresses in a Name; null for one that is no text. */
export function emailAddressesIn(der: Uint8Array): readonly (string | null)[] {
  return readWhole(der, TAG.sequence)
    .all((list) => list.enter(TAG.set).all(readTypeAndValue))
    .flat()
    .filter(({ type }) => type === EMAIL_ADDRESS)
    .map(({ value }) => plainText(value));
}

function readAttribute(list: DerReader): RelativeName {
  const { type, value } = readTypeAndValue(list);
  const plain = plainText(value);
  if (plain === null) return { text: `${type}#${Buffer.from(value.encoding).toString('hex')}`, certain: false };
  // Case and composition of other alphabets are a science; texts of ASCII are certain to differ.
  const certain = PRINTABLE_ASCII.test(plain);
  return { text: `${type}=${collapse(certain ? plain.toLowerCase() : prepare(plain))}`, certain };
}

const PRINTABLE_ASCII = /^[\x20-\x7E]*$/;

/** The type is the contents of its OBJECT IDENTIFIER, in hexadecimal. */
function readTypeAndValue(list: DerReader): { readonly type: string; readonly value: DerElement } {
  const attribute = list.enter(TAG.sequence);
  const { content } = attribute.next(TAG.objectIdentifier);
  const type = Buffer.from(content.buffer, content.byteOffset, content.length).toString('hex');
  const value = attribute.next();
  attribute.end();
  return { type, value };
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function plainText({ tag, content }: DerElement): string | null {
  if (!TEXT_TYPES.has(tag)) return null;
  if (tag !== TAG.utf8String) return latin1(content);
  try {
    return UTF_8.decode(content);
  } catch {
    return null;
  }
}

/** RFC 4518: compatibility forms, case, and characters that are not seen do not count. */
function prepare(text: string): string {
  return text
    .replace(/[\t\n\v\f\r\u0085]/g, ' ')
    .replace(/[\p{Cc}\p{Default_Ignorable_Code_Point}]/gu, '')
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFKC');
}

/** Nor does white space, but between words. */
const collapse = (text: string): string => (/^\s|\s$|\s\s/.test(text) ? text.trim().replace(/\s+/g, ' ') : text);
