import { parseCertificate } from './certificate.ts';
import type { GeneralName } from './general-name.ts';
import { formatJid, parseJid } from './jid.ts';
import { parseDnsName, parseSrvName, patternText } from './name-pattern.ts';

/** One presented identifier (RFC 9525 §2) of a form that XMPP knows. Domains are A-labels, lower case. */
export type PresentedIdentity =
  /** `a.example` or `*.a.example`. */
  | { readonly form: 'dns'; readonly domain: string }
  /** RFC 4985; the service with its underscore, such as `_xmpp-server`. */
  | { readonly form: 'srv'; readonly service: string; readonly domain: string }
  /** XmppAddr (RFC 6120 §13.7.1.4), normalised: a domain for a server, an address for a client. */
  | { readonly form: 'xmpp'; readonly jid: string };

/**
 * What the end-entity certificate of a chain claims, in its order: for a log, or to know what to ask
 * {@link ConnectionSecurity.verify} for. Nothing of it is proved. What is malformed, and the common name, are left out.
 * Never throws: a chain that cannot be read claims nothing.
 * @param chain DER, end-entity first.
 */
export function presentedIdentities(chain: readonly Uint8Array[]): readonly PresentedIdentity[] {
  try {
    const [endEntityDer] = chain;
    if (endEntityDer === undefined) return [];
    return parseCertificate(endEntityDer)
      .subjectAltNames.map(readIdentity)
      .filter((identity) => identity !== null);
  } catch {
    return [];
  }
}

function readIdentity(name: GeneralName): PresentedIdentity | null {
  switch (name.form) {
    case 'dns': {
      const pattern = parseDnsName(name.text);
      return pattern === null ? null : { form: 'dns', domain: patternText(pattern) };
    }
    case 'srv': {
      const pattern = parseSrvName(name.text);
      return pattern === null ? null : { form: 'srv', service: pattern.service, domain: patternText(pattern) };
    }
    case 'xmpp': {
      const jid = parseJid(name.text);
      return jid === null ? null : { form: 'xmpp', jid: formatJid(jid) };
    }
    default:
      return null;
  }
}
