import type { CertificateReason, DomainQuestion, IdentityQuestion } from '@stanzaport/core';
import type { TestCredential } from './certificates.ts';

/** A presented chain, what is asked of it, and the verdict it has to get from whoever trusts the root of the CA. */
export interface CertificateVector<Question extends IdentityQuestion = DomainQuestion> {
  /** ID of the requirement, such as `CERT-06`. */
  readonly requirement: string;
  readonly name: string;
  readonly credential: TestCredential;
  readonly question: Question;
  readonly expected: CertificateReason | 'good';
  /**
   * Whether common TLS stacks can present the chain and take it, so that the verdict is left to the policy. Others
   * refuse to load it, or end the handshake for reasons of their own.
   */
  readonly servable: boolean;
}
