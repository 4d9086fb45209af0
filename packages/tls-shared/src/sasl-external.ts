import { type ConnectionSecurity, type Delegation, normalizeDomain } from '@stanzaport/core';
import { formatJid, type Jid, parseJid, provesAddress } from './jid.ts';
import { presentedIdentities } from './presented-identities.ts';

/** The failures of RFC 6120 §6.5 that SASL EXTERNAL can end with. */
export type ExternalFailure = 'incorrect-encoding' | 'invalid-authzid' | 'not-authorized';

/** The answer to `<auth mechanism='EXTERNAL'/>`. */
export type ExternalVerdict =
  /** `identity`: a domain (A-label) for a server, a JID for a client. */
  | { readonly granted: true; readonly identity: string }
  /** `detail`: one sentence for a log. */
  | { readonly granted: false; readonly condition: ExternalFailure; readonly detail: string };

/** What is looked at of a connection. */
export type ExternalFacts = Pick<ConnectionSecurity, 'verify' | 'peerCertificates'>;

/** Whether a server may be offered EXTERNAL: its certificate proves the `from` of its stream header (XEP-0178 §3). */
export function offersServerExternal(
  security: Pick<ExternalFacts, 'verify'>,
  from: string,
  delegations: readonly Delegation[] = [],
): boolean {
  return (
    normalizeDomain(from) !== null && security.verify({ domain: from, purpose: 's2s-client', delegations }).verified
  );
}

/**
 * Judges EXTERNAL between servers (XEP-0178 §3). Whatever is granted is `from`.
 * @param exchange.from of the stream header of the initiating entity.
 * @param exchange.response contents of `<auth/>`, or of the `<response/>` where `<auth/>` had none: `=` or nothing for an
 *   empty authorization identity, else base64.
 * @param exchange.delegations what the domain `from` said of itself. @defaultValue nothing
 */
export function judgeServerExternal(
  security: Pick<ExternalFacts, 'verify'>,
  { from, response, delegations }: { from: string; response: string; delegations?: readonly Delegation[] },
): ExternalVerdict {
  const authzid = readAuthzid(response);
  if (authzid === null) return failure('incorrect-encoding', 'The response is no base64 of UTF-8');
  const domain = normalizeDomain(from);
  if (domain === null || !offersServerExternal(security, from, delegations)) {
    return failure('not-authorized', 'The certificate does not prove the domain of the stream');
  }
  if (authzid !== '' && normalizeDomain(authzid) !== domain) {
    return failure('invalid-authzid', 'The authorization identity is not the domain of the stream');
  }
  return { granted: true, identity: domain };
}

/**
 * The accounts of `domain` that the certificate of a client names and proves: EXTERNAL may be offered if there are any
 * (XEP-0178 §2). Normalised; some may have a resource.
 */
export function provenAddresses(security: ExternalFacts, domain: string): readonly string[] {
  if (!isTrustedClient(security, domain)) return [];
  return addressesOf(namedAddresses(security), domain).map(formatJid);
}

/**
 * Judges EXTERNAL of a client (XEP-0178 §2): the one address in its certificate, or of several the one that it asks for.
 * @param exchange.domain the domain of ours that the stream is with; no address of another one is granted.
 * @param exchange.response as for {@link judgeServerExternal}.
 * @param exchange.mapped what the application knows the certificate to stand for (a JID of `domain`) where it names no
 *   address at all. Asked only if the certificate itself is good. @defaultValue nothing
 */
export function judgeClientExternal(
  security: ExternalFacts,
  { domain, response, mapped }: { domain: string; response: string; mapped?: () => string | null },
): ExternalVerdict {
  const authzid = readAuthzid(response);
  if (authzid === null) return failure('incorrect-encoding', 'The response is no base64 of UTF-8');
  // Once for all addresses: there may be thousands in a certificate, and the path is the same for each.
  if (!isTrustedClient(security, domain)) return failure('not-authorized', 'The certificate is not to be trusted');
  const named = namedAddresses(security);
  const addresses = addressesOf(named.length === 0 ? mappedAddresses(mapped) : named, domain);
  const [first, ...others] = addresses;
  if (first === undefined) return failure('not-authorized', 'The certificate stands for no account of this domain');
  if (authzid === '') {
    if (others.length === 0) return { granted: true, identity: formatJid(first) };
    return failure('invalid-authzid', 'The certificate names several accounts, and none was asked for');
  }
  const wanted = parseJid(authzid);
  const proved = wanted !== null && addresses.some((address) => provesAddress(address, wanted));
  if (!proved) return failure('invalid-authzid', 'The certificate does not stand for the account asked for');
  return { granted: true, identity: formatJid(wanted) };
}

function isTrustedClient(security: ExternalFacts, domain: string): boolean {
  return security.verify({ domain, purpose: 'c2s-client', jid: null }).verified;
}

function addressesOf(jids: readonly Jid[], domain: string): readonly Jid[] {
  const served = normalizeDomain(domain);
  return jids.filter((jid) => jid.localpart !== null && jid.domain === served);
}

function mappedAddresses(mapped: () => string | null = () => null): readonly Jid[] {
  const jid = parseJid(mapped() ?? '');
  return jid === null ? [] : [jid];
}

/** The addresses of accounts in the end-entity certificate, each once. */
function namedAddresses({ peerCertificates }: ExternalFacts): readonly Jid[] {
  const named = presentedIdentities(peerCertificates).filter((identity) => identity.form === 'xmpp');
  const unique = [...new Set(named.map(({ jid }) => jid))];
  return unique.map(parseJid).filter((jid): jid is Jid => jid !== null && jid.localpart !== null);
}

/**
 * The authorization identity of an initial response (RFC 6120 §6.4.2, §6.3.8): empty for none.
 * @returns null for what is no base64 in its one spelling, or no UTF-8.
 */
function readAuthzid(response: string): string | null {
  if (response === '' || response === '=') return '';
  const bytes = Buffer.from(response, 'base64');
  if (bytes.toString('base64') !== response) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

const failure = (condition: ExternalFailure, detail: string): ExternalVerdict => ({
  granted: false,
  condition,
  detail,
});
