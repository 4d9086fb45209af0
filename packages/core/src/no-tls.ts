import type { ConnectionSecurity } from './security.ts';

/** TLS AlertDescription certificate_required (RFC 8446 §6.2). */
const CERTIFICATE_REQUIRED = 116;

/**
 * The facts of a connection without TLS: nothing is known of the peer, and nothing it claims is proved. For transports of
 * tests and of closed networks; every other one has facts of its own.
 */
export const NO_TLS: ConnectionSecurity = Object.freeze({
  tlsVersion: null,
  cipher: null,
  alpn: null,
  sni: null,
  peerCertificates: [],
  localCertificates: [],
  verdict: null,
  verify: ({ domain }) => ({
    verified: false,
    domain,
    reason: 'absent',
    alert: CERTIFICATE_REQUIRED,
    detail: 'without TLS no certificate is presented',
  }),
  channelBindings: [],
  channelBinding: () => null,
  ech: 'unavailable',
  resumed: false,
  earlyData: 'none',
  dangers: [],
} satisfies ConnectionSecurity);
