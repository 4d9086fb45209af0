import { normalizeDomain } from '@stanzaport/core';

/** An address `local@domain/resource` (RFC 7622), normalised as far as this server needs. */
export interface Jid {
  readonly local: string | null;
  /** In A-labels. */
  readonly domain: string;
  readonly resource: string | null;
}

/** Each part has at most this many bytes (RFC 7622 §3.1). */
const LONGEST_PART = 1023;

/** Characters that a localpart never has (RFC 7622 §3.3.1), white space and control characters. */
const FORBIDDEN_IN_LOCALPART = /["&'/:<>@\s\p{Cc}]/u;

const FORBIDDEN_IN_RESOURCE = /\p{Cc}/u;

/** @returns null for what is no address. */
export function parseJid(text: string): Jid | null {
  const slash = text.indexOf('/');
  const bare = slash < 0 ? text : text.slice(0, slash);
  const at = bare.indexOf('@');
  const local = at < 0 ? null : bare.slice(0, at).normalize('NFC').toLowerCase();
  const domain = normalizeDomain(bare.slice(at + 1));
  const resource = slash < 0 ? null : text.slice(slash + 1).normalize('NFC');
  if (domain === null) return null;
  if (local !== null && (!isPart(local) || FORBIDDEN_IN_LOCALPART.test(local))) return null;
  if (resource !== null && !isResource(resource)) return null;
  return { local, domain, resource };
}

export function isResource(text: string): boolean {
  return isPart(text) && !FORBIDDEN_IN_RESOURCE.test(text);
}

/** `local@domain`, or `domain` alone. */
export function bareOf({ local, domain }: Jid): string {
  return local === null ? domain : `${local}@${domain}`;
}

export function formatJid(jid: Jid): string {
  return jid.resource === null ? bareOf(jid) : `${bareOf(jid)}/${jid.resource}`;
}

function isPart(text: string): boolean {
  return text !== '' && Buffer.byteLength(text) <= LONGEST_PART;
}
