import type { DomainQuestion } from '@stanzaport/core';
import type { CertificateVector } from './certificate-vector.ts';
import { type IssueOptions, type TestCa, type TestCredential, toPem } from './certificates.ts';

/** A vector before its certificate is made. */
export interface VectorRecipe extends Omit<CertificateVector, 'credential' | 'servable'> {
  readonly issue: () => Promise<TestCredential>;
  /** @defaultValue true */
  readonly servable?: boolean;
}

/** The domain that path vectors ask for. */
export const DOMAIN = 'a.example';
export const QUESTION: DomainQuestion = { domain: DOMAIN, purpose: 's2s-server' };
/** Names it. */
export const NAMED: IssueOptions = { dnsNames: [DOMAIN] };
export type Issue = VectorRecipe['issue'];
export type Expected = VectorRecipe['expected'];

/** A recipe for the common question. */
export const vector = (requirement: string, name: string, expected: Expected, issue: Issue): VectorRecipe => ({
  requirement,
  name,
  question: QUESTION,
  expected,
  issue,
});

/** A leaf under a CA of its own, which is under the root and made with `options`. */
export async function under(ca: TestCa, options: IssueOptions, leaf: IssueOptions = NAMED): Promise<TestCredential> {
  const signer = await ca.issue({ commonName: 'Sub CA', ca: true, signer: ca.root, ...options });
  return ca.issue({ ...leaf, signer });
}

/** The same credential, presenting another chain. */
export function withChain(credential: TestCredential, chainDer: readonly Uint8Array[]): TestCredential {
  return { ...credential, chainDer, chainPem: chainDer.map(toPem).join('') };
}
