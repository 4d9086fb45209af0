import type { ConnectionSecurity, DomainQuestion } from '@stanzaport/core';
import { parseCertificate } from './certificate.ts';
import { findMatch } from './identity.ts';

/**
 * Whether a certificate of our own names `question.domain` by the rules peers are judged by, and is not out of date.
 * Whether it is trusted is for the peer to say. Never throws.
 * @param chain what this side presents, DER, end-entity first (`security.localCertificates`).
 * @param nowMs milliseconds since the epoch.
 */
export function ownCertificateProves(
  chain: readonly Uint8Array[],
  question: DomainQuestion,
  nowMs: number = Date.now(),
): boolean {
  const [endEntityDer] = chain;
  if (endEntityDer === undefined) return false;
  try {
    const { subjectAltNames, notBeforeMs, notAfterMs } = parseCertificate(endEntityDer);
    return notBeforeMs <= nowMs && nowMs <= notAfterMs && findMatch(subjectAltNames, question) !== null;
  } catch {
    return false;
  }
}

/**
 * Whether a server proves `localDomain` by what it presented on `connection`, so that streams from that domain may share
 * it (XEP-0467 §2 (9)): for {@link StreamPoolOptions.provesLocalDomain}.
 */
export function provesLocalDomain(
  { security }: { readonly security: Pick<ConnectionSecurity, 'localCertificates'> },
  localDomain: string,
): boolean {
  return ownCertificateProves(security.localCertificates, { domain: localDomain, purpose: 's2s-client' });
}
