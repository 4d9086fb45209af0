import { parseDnsName } from './name-pattern.ts';

/** An e-mail address as certificates have it (RFC 5280 §4.2.1.6). */
interface Mailbox {
  /** Case counts. */
  readonly local: string;
  readonly host: string;
}

/**
 * Whether an e-mail address is one that a constraint names: one mailbox, all of a host, or with a leading dot all of the hosts
 * below a domain (RFC 5280 §4.2.1.10). Null where either cannot be read.
 */
export function isMailboxWithin(constraint: string, name: string): boolean | null {
  const mailbox = parseMailbox(name);
  if (mailbox === null) return null;
  if (!constraint.includes('@')) return isHostWithin(constraint, mailbox.host);
  const only = parseMailbox(constraint);
  return only === null ? null : only.local === mailbox.local && only.host === mailbox.host;
}

/** The same for the host of a URI: that host, or with a leading dot all hosts below it. Null also for a URI without a host. */
export function isUriWithin(constraint: string, name: string): boolean | null {
  const host = hostOf(URI_WITH_HOST.exec(name)?.[1] ?? '');
  return host === null ? null : isHostWithin(constraint, host);
}

const URI_WITH_HOST = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:@[\]]+)(?::\d*)?(?:[/?#].*)?$/i;

function isHostWithin(constraint: string, host: string): boolean | null {
  const below = constraint.startsWith('.');
  const domain = hostOf(below ? constraint.slice(1) : constraint);
  if (domain === null) return null;
  return below ? host.endsWith(`.${domain}`) : host === domain;
}

function parseMailbox(text: string): Mailbox | null {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, Math.max(at, 0));
  const host = hostOf(text.slice(at + 1));
  // Quoted local parts can be written in many ways.
  return host === null || !/^[\w!#$%&'*+/=?^`{|}~.-]+$/.test(local) ? null : { local, host };
}

/** A-labels in lower case; null for an IP address and for what is no name of a host. */
function hostOf(text: string): string | null {
  const pattern = parseDnsName(text);
  return pattern === null || pattern.wildcard ? null : pattern.domain;
}
