import type { Token } from '@stanzaport/core';
import type { CertificatePolicy } from './certificate-policy.ts';
import type { CredentialStore } from './credentials.ts';

/** {@link CredentialStore}: bound by `tlsModule`. */
export const CREDENTIALS: Token<CredentialStore> = Symbol.for('@stanzaport/credentials');
/** {@link CertificatePolicy}: bound by `tlsModule`. */
export const CERTIFICATE_POLICY: Token<CertificatePolicy> = Symbol.for('@stanzaport/certificate-policy');
