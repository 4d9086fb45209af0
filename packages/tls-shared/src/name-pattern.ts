import { isIpLiteral, normalizeDomain } from '@stanzaport/core';

/** What a dNSName, or the name part of an SRVName, stands for: one domain, or with `*` all domains one label below. */
export interface DomainPattern {
  readonly wildcard: boolean;
  /** A-labels, lower case, without the `*.`. */
  readonly domain: string;
}

/** An SRVName (RFC 4985 §2). */
export interface ServicePattern extends DomainPattern {
  /** With its underscore, lower case. */
  readonly service: string;
}

/**
 * Reads a dNSName: letters, digits and hyphens, `*` only as its whole left-most label (RFC 9525 §6.3).
 * @returns null for all else: NUL, space, raw UTF-8, a trailing dot, an IP address, a broken A-label.
 */
export function parseDnsName(text: string): DomainPattern | null {
  const lowered = text.toLowerCase();
  const wildcard = lowered.startsWith('*.');
  const domain = wildcard ? lowered.slice(2) : lowered;
  return normalizeDomain(domain) === domain && !isIpLiteral(domain) ? { wildcard, domain } : null;
}

const SRV_NAME = /^(_[a-z0-9-]+)\.(.+)$/i;

/** Reads an SRVName such as `_xmpp-server.a.example`; null for all else. */
export function parseSrvName(text: string): ServicePattern | null {
  const [, service = '', name = ''] = SRV_NAME.exec(text) ?? [];
  const pattern = parseDnsName(name);
  return pattern === null ? null : { service: service.toLowerCase(), ...pattern };
}

/** Reads the domainpart of an XmppAddr (a JID), whatever stands before and behind it; null if it is no domain. */
export function parseXmppDomain(text: string): string | null {
  const bare = text.split('/', 1)[0] ?? '';
  const domainpart = bare.slice(bare.indexOf('@') + 1);
  if (domainpart !== domainpart.replace(/[.\u3002\uFF0E\uFF61]$/, '') || isIpLiteral(domainpart)) return null;
  return normalizeDomain(domainpart);
}

/** Whether the pattern stands for `domain`, which is normalised (RFC 9525 §6.3). */
export function matchesDomain(pattern: DomainPattern, domain: string): boolean {
  if (!pattern.wildcard) return pattern.domain === domain;
  const dot = domain.indexOf('.');
  return dot > 0 && domain.slice(dot + 1) === pattern.domain;
}

/** As it would stand in a certificate. */
export const patternText = ({ wildcard, domain }: DomainPattern): string => (wildcard ? `*.${domain}` : domain);
