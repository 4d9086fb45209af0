import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** Longer chains are refused by the policy in any case. */
const MAX_CERTIFICATES = 32;

/**
 * What the peer presented, DER, end-entity first; empty when it presented nothing. To be called once for each socket.
 *
 * COMPAT: `getPeerCertificate(true)` drops certificates that are out of order, or that it takes for no issuers; here every
 * certificate has the one that was presented behind it as its `issuerCertificate`, whoever issued it.
 */
export function peerCertificatesOf(tls: TLSSocket): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate: X509Certificate | undefined = tls.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < MAX_CERTIFICATES) {
    chain.push(new Uint8Array(certificate.raw));
    certificate = certificate.issuerCertificate;
  }
  return Object.freeze(chain);
}
