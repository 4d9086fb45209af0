import { parseXmppDomain } from './name-pattern.ts';

/** A JID, normalised so that equal ones are equal texts (RFC 7622 §3). */
export interface Jid {
  readonly localpart: string | null;
  /** A-labels, lower case. */
  readonly domain: string;
  readonly resource: string | null;
}

/** In bytes (RFC 7622 §3.1). */
const MOST_PART_BYTES = 1023;

/** Full-width and half-width characters, which are mapped to their usual forms (RFC 8265 §3.3.1). */
const WIDTH_VARIANTS = /[\uFF01-\uFFEF]/g;

/**
 * What a localpart is made of: printable ASCII without the characters of RFC 7622 §3.3.1, else letters, digits and marks
 * (RFC 8264 §4.2). Joiners, which are good in some scripts only, are left out: then the JID proves nothing.
 */
const LOCALPART = /^(?:(?!["&'/:<>@]|\p{Default_Ignorable_Code_Point})[\x21-\x7E\p{L}\p{Nd}\p{M}])+$/u;

const NON_ASCII_SPACES = /(?! )\p{Zs}/gu;
/** RFC 8264 §4.3: what FreeformClass, too, does not take. */
const FORBIDDEN_IN_RESOURCE = /[\p{Cc}\p{Cs}\p{Cn}\p{Co}\p{Default_Ignorable_Code_Point}]/u;

/**
 * Reads a JID that is to be compared with another one (RFC 7622, RFC 8265). It leans to no.
 * @returns null for what is no JID, or one whose normal form is not certain.
 */
export function parseJid(text: string): Jid | null {
  const slash = text.indexOf('/');
  const bare = slash < 0 ? text : text.slice(0, slash);
  const at = bare.indexOf('@');
  const localpart = at < 0 ? null : normalizeLocalpart(bare.slice(0, at));
  const resource = slash < 0 ? null : normalizeResource(text.slice(slash + 1));
  const domain = parseXmppDomain(bare);
  if (domain === null || (at >= 0 && localpart === null) || (slash >= 0 && resource === null)) return null;
  return { localpart, domain, resource };
}

/** `localpart@domain/resource` of the parts there are. */
export function formatJid({ localpart, domain, resource }: Jid): string {
  return `${localpart === null ? '' : `${localpart}@`}${domain}${resource === null ? '' : `/${resource}`}`;
}

/**
 * Whether the address in a certificate proves `wanted`: that account, and where the certificate names a resource, that
 * resource alone.
 */
export function provesAddress(presented: Jid, wanted: Jid): boolean {
  return (
    presented.localpart !== null &&
    presented.localpart === wanted.localpart &&
    presented.domain === wanted.domain &&
    (presented.resource === null || presented.resource === wanted.resource)
  );
}

/** UsernameCaseMapped of RFC 8265 §3.3. */
function normalizeLocalpart(text: string): string | null {
  const mapped = text
    .replace(WIDTH_VARIANTS, (character) => character.normalize('NFKC'))
    .toLowerCase()
    .normalize('NFC');
  // Characters with a compatibility form are another spelling of it (RFC 8264 §9.17).
  return LOCALPART.test(mapped) && mapped.normalize('NFKC') === mapped ? withinBytes(mapped) : null;
}

/** OpaqueString of RFC 8265 §4.2. */
function normalizeResource(text: string): string | null {
  const mapped = text.replace(NON_ASCII_SPACES, ' ').normalize('NFC');
  return mapped === '' || FORBIDDEN_IN_RESOURCE.test(mapped) ? null : withinBytes(mapped);
}

const withinBytes = (part: string): string | null => (Buffer.byteLength(part) <= MOST_PART_BYTES ? part : null);
