import { type AddressQuestion, type DomainQuestion, isIpLiteral, normalizeDomain } from '@stanzaport/core';
import type { GeneralName } from './general-name.ts';
import { formatJid, parseJid, provesAddress } from './jid.ts';
import { matchesDomain, parseDnsName, parseSrvName, parseXmppDomain, patternText } from './name-pattern.ts';

/** SRV services by what the peer claims to be, the same on every transport (RFC 6120 §13.7.2, RFC 4985). */
const SERVICE_OF: Record<DomainQuestion['purpose'], string> = {
  'c2s-server': '_xmpp-client',
  's2s-server': '_xmpp-server',
  's2s-client': '_xmpp-server',
};

/**
 * Finds the presented identifier that proves the reference identifier of `question` (RFC 9525 §6, RFC 6120
 * §13.7.1.2). The source domain is the only reference; the common name of the subject is never looked at.
 * @returns the identifier, such as `dns:*.a.example`, `srv:_xmpp-server.a.example` or `xmpp:a.example`, or null.
 */
export function findMatch(
  names: readonly GeneralName[],
  { domain, purpose }: Pick<DomainQuestion, 'domain' | 'purpose'>,
): string | null {
  const reference = normalizeDomain(domain);
  if (reference === null || isIpLiteral(reference)) return null;
  for (const name of names) {
    const matched = matchOne(name, reference, SERVICE_OF[purpose]);
    if (matched !== null) return matched;
  }
  return null;
}

/**
 * Finds the XmppAddr that proves the address asked for, which has to be one of `domain` (RFC 6120 §13.7.1.3). No other
 * form of name stands for an account.
 * @returns such as `xmpp:juliet@a.example`, or null.
 */
export function findAddress(
  names: readonly GeneralName[],
  { domain, jid }: { readonly domain: string; readonly jid: NonNullable<AddressQuestion['jid']> },
): string | null {
  const wanted = parseJid(jid);
  if (wanted === null || wanted.domain !== normalizeDomain(domain)) return null;
  for (const name of names) {
    const presented = name.form === 'xmpp' ? parseJid(name.text) : null;
    if (presented !== null && provesAddress(presented, wanted)) return `xmpp:${formatJid(presented)}`;
  }
  return null;
}

/** The domains, some of them as `*.a.example`, for which a certificate can be served. */
export function presentedDomains(names: readonly GeneralName[]): readonly string[] {
  const domains = names.map((name): string | null => {
    switch (name.form) {
      case 'dns':
        return textOf(parseDnsName(name.text));
      case 'srv':
        return textOf(parseSrvName(name.text));
      case 'xmpp':
        return serverDomain(name.text);
      default:
        return null;
    }
  });
  return [...new Set(domains.filter((domain) => domain !== null))];
}

function matchOne(name: GeneralName, reference: string, service: string): string | null {
  switch (name.form) {
    case 'dns': {
      const pattern = parseDnsName(name.text);
      return pattern !== null && matchesDomain(pattern, reference) ? `dns:${patternText(pattern)}` : null;
    }
    case 'srv': {
      const pattern = parseSrvName(name.text);
      if (pattern === null || pattern.service !== service || !matchesDomain(pattern, reference)) return null;
      return `srv:${pattern.service}.${patternText(pattern)}`;
    }
    case 'xmpp':
      return serverDomain(name.text) === reference ? `xmpp:${reference}` : null;
    default:
      return null;
  }
}

/** The XmppAddr of a server is a bare domain, without localpart and resource. */
const serverDomain = (text: string): string | null => (/[@/]/.test(text) ? null : parseXmppDomain(text));

const textOf = (pattern: Parameters<typeof patternText>[0] | null): string | null =>
  pattern === null ? null : patternText(pattern);
