import { type PeerVerdict, StreamError } from '@stanzaport/core';

/**
 * Whether a receiving entity wants a certificate of its peer. `required`: without a good one the stream ends. `requested`:
 * it goes on, encrypted but not authenticated, and the server may use other means (XEP-0220). `none`: not asked for.
 */
export type ClientCertificateRule = 'required' | 'requested' | 'none';

/** What each rule means for the handshake, and after the stream header. */
export const CLIENT_CERTIFICATE_RULES: Readonly<
  Record<
    ClientCertificateRule,
    {
      /** Whether the TLS stack sends a CertificateRequest; it never judges what comes (RFC 6120 §13.7.2.1). */
      readonly asks: boolean;
      /** Whether a peer that proves nothing is refused. */
      readonly insists: boolean;
    }
  >
> = Object.freeze({
  required: Object.freeze({ asks: true, insists: true }),
  requested: Object.freeze({ asks: true, insists: false }),
  none: Object.freeze({ asks: false, insists: false }),
});

/** What becomes of a stream whose header named the peer. */
export type PeerAdmission =
  /** With `authenticated`, SASL EXTERNAL can be offered (XEP-0178 §3). */
  | { readonly admitted: true; readonly authenticated: boolean }
  | { readonly admitted: false; readonly error: StreamError };

/**
 * Applies a rule to the verdict about the identity that the stream header claims.
 * @param verdict null where nothing was claimed, so that nothing can be proved.
 */
export function admitPeer(rule: ClientCertificateRule, verdict: PeerVerdict | null): PeerAdmission {
  const { asks, insists } = CLIENT_CERTIFICATE_RULES[rule];
  const authenticated = asks && verdict?.verified === true;
  if (authenticated || !insists) return { admitted: true, authenticated };
  const text = verdict?.verified === false ? verdict.detail : 'No identity was claimed';
  return { admitted: false, error: new StreamError('not-authorized', { text }) };
}
