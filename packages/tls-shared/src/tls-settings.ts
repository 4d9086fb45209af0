import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

/** What {@link NODE_TLS_OPTIONS} sets. */
export type NodeTlsOptions = Required<
  Pick<
    SecureContextOptions,
    | 'minVersion'
    | 'maxVersion'
    | 'ciphers'
    | 'ecdhCurve'
    | 'sigalgs'
    | 'honorCipherOrder'
    | 'secureOptions'
    | 'sessionTimeout'
  >
>;

/** What a TLS stack has to be told; lists are best first, names those of OpenSSL. */
export interface TlsSettings {
  readonly minVersion: 'TLSv1.2';
  readonly maxVersion: 'TLSv1.3';
  /** Of TLS 1.3 (RFC 8446 §B.4), without the CCM suites, which are for small devices. */
  readonly cipherSuites13: readonly string[];
  /** Of TLS 1.2 only what is authenticated and forward secret (RFC 9325 §4.2). */
  readonly cipherSuites12: readonly string[];
  /** Of the key exchange (RFC 9325 §4.4). */
  readonly groups: readonly string[];
  /** What we sign and accept signatures with (RFC 8446 §4.2.3); nothing with SHA-1 (RFC 9155). */
  readonly signatureAlgorithms: readonly string[];
  /** Lifetime of a session ticket, in seconds: half a day of the seven that RFC 8446 §4.6.1 allows. */
  readonly ticketLifetimeSeconds: number;
}

/** The one place of these settings, for every TLS stack under a transport (RFC 9325, RFC 7590). */
export const TLS_SETTINGS: TlsSettings = Object.freeze({
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  cipherSuites13: Object.freeze(['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']),
  cipherSuites12: Object.freeze([
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ]),
  groups: Object.freeze(['X25519', 'P-256', 'P-384', 'P-521']),
  signatureAlgorithms: Object.freeze([
    'ecdsa_secp256r1_sha256',
    'ed25519',
    'ecdsa_secp384r1_sha384',
    'ecdsa_secp521r1_sha512',
    'rsa_pss_rsae_sha256',
    'rsa_pss_rsae_sha384',
    'rsa_pss_rsae_sha512',
    'rsa_pkcs1_sha256',
    'rsa_pkcs1_sha384',
    'rsa_pkcs1_sha512',
  ]),
  ticketLifetimeSeconds: 43_200,
});

/**
 * The same for `tls.createSecureContext`, `tls.createServer` and `tls.connect` of Node.js, where the order of the server
 * counts. OpenSSL always negotiates extended master secret with a peer that can (RFC 7627), but cannot be told to demand
 * it: transports look when the handshake is over.
 */
export const NODE_TLS_OPTIONS: Readonly<NodeTlsOptions> = Object.freeze({
  minVersion: TLS_SETTINGS.minVersion,
  maxVersion: TLS_SETTINGS.maxVersion,
  ciphers: [...TLS_SETTINGS.cipherSuites13, ...TLS_SETTINGS.cipherSuites12].join(':'),
  ecdhCurve: TLS_SETTINGS.groups.join(':'),
  sigalgs: TLS_SETTINGS.signatureAlgorithms.join(':'),
  honorCipherOrder: true,
  // RFC 9325 §3.3 and §3.5.
  secureOptions: constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_NO_RENEGOTIATION,
  sessionTimeout: TLS_SETTINGS.ticketLifetimeSeconds,
});
