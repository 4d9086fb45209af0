import {
  constructedTag,
  contextTag,
  DerError,
  DerReader,
  latin1,
  readObjectIdentifier,
  readWhole,
  TAG,
} from './der.ts';

/** id-on-dnsSRV (RFC 4985 §2). */
const SRV_NAME = '1.3.6.1.5.5.7.8.7';
/** id-on-xmppAddr (RFC 6120 §13.7.1.4). */
const XMPP_ADDR = '1.3.6.1.5.5.7.8.5';

/** A GeneralName (RFC 5280 §4.2.1.6), told apart by tag and object identifier, never by its text. */
export type GeneralName =
  | { readonly form: 'dns'; readonly text: string }
  /** `_service.name` (RFC 4985 §2). */
  | { readonly form: 'srv'; readonly text: string }
  /** A JID, UTF-8 decoded (RFC 6120 §13.7.1.4). */
  | { readonly form: 'xmpp'; readonly text: string }
  | { readonly form: 'ip'; readonly bytes: Uint8Array }
  /** DER of the Name. */
  | { readonly form: 'directory'; readonly bytes: Uint8Array }
  | { readonly form: 'email'; readonly text: string }
  | { readonly form: 'uri'; readonly text: string }
  /** All other forms, by tag number, and otherNames that are unknown or malformed. */
  | { readonly form: `other:${string}` };

/** Which kind of name it is: constraints of one form say nothing about another. */
export type GeneralNameForm = GeneralName['form'];

/**
 * The contents of a subjectAltName extension.
 * @throws DerError where it is no sequence of at least one GeneralName.
 */
export function readGeneralNames(value: Uint8Array): readonly GeneralName[] {
  const names = readWhole(value, TAG.sequence).all(readGeneralName);
  if (names.length === 0) throw new DerError('No name in the subjectAltName');
  return names;
}

/** Reads the next element as a GeneralName; a malformed otherName is one of no known form. */
export function readGeneralName(reader: DerReader): GeneralName {
  const { tag, content } = reader.next();
  switch (tag) {
    case constructedTag(0):
      return readOtherName(content);
    case contextTag(1):
      return { form: 'email', text: latin1(content) };
    case contextTag(2):
      return { form: 'dns', text: latin1(content) };
    case constructedTag(4):
      return { form: 'directory', bytes: content };
    case contextTag(7):
      return { form: 'ip', bytes: content };
    case contextTag(6):
      return { form: 'uri', text: latin1(content) };
    case constructedTag(3):
    case constructedTag(5):
    case contextTag(8):
      return { form: `other:${tag & 0x1f}` };
    default:
      throw new DerError(`Tag ${tag} is no GeneralName`);
  }
}

function readOtherName(content: Uint8Array): GeneralName {
  const reader = new DerReader(content);
  const oid = readObjectIdentifier(reader.next(TAG.objectIdentifier));
  const explicit = reader.enter(constructedTag(0));
  reader.end();
  const value = explicit.next();
  explicit.end();
  if (oid === SRV_NAME && value.tag === TAG.ia5String) return { form: 'srv', text: latin1(value.content) };
  if (oid === XMPP_ADDR && value.tag === TAG.utf8String) {
    const text = decodeUtf8(value.content);
    if (text !== null) return { form: 'xmpp', text };
  }
  return { form: `other:${oid}` };
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
