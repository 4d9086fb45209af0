/**
 * Certificates and TLS rules, the same for every transport: which credential is presented for which server name,
 * whether the chain of a peer proves its domain, and which application protocol stands for what.
 */
export type { TlsAlert } from './alerts.ts';
export { alertForCertificate, alertName, TLS_ALERT } from './alerts.ts';
export { ALPN_OF, kindOfAlpn, selectAlpn } from './alpn.ts';
export type { CertificatePolicyOptions } from './certificate-policy.ts';
export { CertificatePolicy } from './certificate-policy.ts';
export type { CredentialOptions } from './credential.ts';
export { Credential } from './credential.ts';
export type { CredentialWatchOptions } from './credential-watch.ts';
export { DEFAULT_CREDENTIAL_WATCH } from './credential-watch.ts';
export type { CredentialCheck, CredentialReload, CredentialStoreOptions } from './credentials.ts';
export { CredentialStore } from './credentials.ts';
export type { TlsOptions } from './module.ts';
export { tlsModule } from './module.ts';
export { ownCertificateProves, provesLocalDomain } from './own-certificate.ts';
export { CERTIFICATE_POLICY, CREDENTIALS } from './tokens.ts';
export type { TrustSource } from './trust.ts';
