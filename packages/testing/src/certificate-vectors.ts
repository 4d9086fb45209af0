import type { CertificateVector } from './certificate-vector.ts';
import type { TestCa } from './certificates.ts';
import { nameVectors } from './name-vectors.ts';
import { pathVectors } from './path-vectors.ts';

/**
 * The verdicts of CERT-02 to CERT-13 as a table: every verifier and every transport runs over the same one, with
 * `ca.rootPem` as its only trust anchor.
 */
export async function certificateVectors(ca: TestCa): Promise<readonly CertificateVector[]> {
  const vectors: CertificateVector[] = [];
  for (const { issue, servable = true, ...recipe } of [...nameVectors(ca), ...pathVectors(ca)]) {
    vectors.push({ ...recipe, servable, credential: await issue() });
  }
  return vectors;
}
