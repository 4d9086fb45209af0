import { isIP, isIPv4 } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';

/** RFC 1035 §2.3.4, without the length octet of the root. */
const MAX_DOMAIN_LENGTH = 253;

/** Full stops that IDNA takes for a dot (RFC 3490 §3.1 (1)): ideographic, full-width, half-width ideographic. */
const IDEOGRAPHIC_STOPS = /[\u3002\uFF0E\uFF61]/g;

/** What may stand in the ASCII part of a domain before it is mapped; all else could change how it is read. */
const ACCEPTABLE = /^[A-Za-z0-9.\u0080-\u{10FFFF}-]+$/u;

/** RFC 5890 §2.3.1: letters, digits, hyphens inside; 63 octets at most. */
const LDH_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** RFC 5890 §2.3.2.1. */
const A_LABEL = /(?:^|\.)xn--/;

/** Resolvers read a name whose last label is such a number as an IPv4 address, in many spellings. */
const NUMERIC_LABEL = /^(?:[0-9]+|0x[0-9a-f]*)$/;

/**
 * The one form in which domains are compared: A-labels, lower case, no trailing dot (RFC 7622 §3.2, RFC 5890).
 * Upper case, ideographic full stops and compatibility characters are mapped (UTS 46, non-transitional).
 *
 * Every label is a letter-digit-hyphen label: no underscore, no empty label, no `--` in third place but in a valid
 * A-label; 63 octets a label, 253 in all. A dotted IPv4 address comes back as it is, as RFC 7622 allows it as a
 * domainpart; ask {@link isIpLiteral} where that is no answer.
 * @returns null if `text` is no such domain; never throws.
 */
export function normalizeDomain(text: string): string | null {
  if (!ACCEPTABLE.test(text)) return null;
  const lowered = text.replace(IDEOGRAPHIC_STOPS, '.').replace(/\.$/, '').toLowerCase();
  const domain = toALabels(lowered);
  if (domain === null || domain.length > MAX_DOMAIN_LENGTH) return null;
  const labels = domain.split('.');
  if (!labels.every(isAsciiLabel)) return null;
  if (!NUMERIC_LABEL.test(labels.at(-1) ?? '')) return domain;
  return isIPv4(lowered) ? lowered : null;
}

/**
 * Whether a domainpart is an IP address: dotted IPv4, or IPv6 with or without brackets (RFC 7622 §3.2). Such a name
 * can be neither SNI (RFC 6066 §3) nor a reference identifier of a domain (RFC 9525 §2).
 */
export function isIpLiteral(text: string): boolean {
  const inner = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text.replace(/\.$/, '');
  return isIP(inner) !== 0;
}

function toALabels(lowered: string): string | null {
  const ascii = /[^a-z0-9.-]/.test(lowered) ? domainToASCII(lowered) : lowered;
  if (ascii === '') return null;
  return !A_LABEL.test(ascii) || isRoundTrip(ascii) ? ascii : null;
}

/**
 * A label that only looks like an A-label would be a second spelling of another name, or of none. What cannot be decoded
 * is answered by an empty string on Node.js 20, and given back as it is on 26.
 */
function isRoundTrip(ascii: string): boolean {
  const unicode = domainToUnicode(ascii);
  return !A_LABEL.test(unicode) && domainToASCII(unicode) === ascii;
}

function isAsciiLabel(label: string): boolean {
  return LDH_LABEL.test(label) && (label.slice(2, 4) !== '--' || label.startsWith('xn--'));
}
