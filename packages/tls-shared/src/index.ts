/**
 * Certificates and TLS rules, the same for every transport: which credential is presented for which server name,
 * whether the chain of a peer proves its domain, and which application protocol stands for what.
 */
export type { TlsAlert } from './alerts.ts';
export { alertForCertificate, alertName, TLS_ALERT } from './alerts.ts';
export { ALPN_OF, kindOfAlpn, selectAlpn } from './alpn.ts';
export type { CertificatePolicyOptions, VerifyCircumstances } from './certificate-policy.ts';
export { CertificatePolicy } from './certificate-policy.ts';
export type { ClientCertificateRule, PeerAdmission } from './client-certificate.ts';
export { admitPeer, CLIENT_CERTIFICATE_RULES } from './client-certificate.ts';
export type { CredentialOptions } from './credential.ts';
export { Credential } from './credential.ts';
export type { CredentialWatchOptions } from './credential-watch.ts';
export { DEFAULT_CREDENTIAL_WATCH } from './credential-watch.ts';
export type { CredentialCheck, CredentialReload, CredentialStoreOptions } from './credentials.ts';
export { CredentialStore } from './credentials.ts';
export type { TlsOptions } from './module.ts';
export { tlsModule } from './module.ts';
export { ownCertificateProves, provesLocalDomain } from './own-certificate.ts';
export type { PresentedIdentity } from './presented-identities.ts';
export { presentedIdentities } from './presented-identities.ts';
export type { CrlSource } from './revocation.ts';
export type { ExternalFacts, ExternalFailure, ExternalVerdict } from './sasl-external.ts';
export {
  judgeClientExternal,
  judgeServerExternal,
  offersServerExternal,
  provenAddresses,
} from './sasl-external.ts';
export { TLS_EXPORTER_BINDING, tlsServerEndPoint } from './server-end-point.ts';
export type { NodeTlsOptions, TlsSettings } from './tls-settings.ts';
export { NODE_TLS_OPTIONS, TLS_SETTINGS } from './tls-settings.ts';
export { CERTIFICATE_POLICY, CREDENTIALS } from './tokens.ts';
export type { TrustSource } from './trust.ts';
