import type { CertificateReason } from '@stanzaport/core';

/** AlertDescription of TLS by the names of its registry (RFC 8446 §6, RFC 7301 §3.2, RFC 9849). */
export const TLS_ALERT = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  missing_extension: 109,
  unsupported_extension: 110,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120,
  ech_required: 121,
} as const;

export type TlsAlert = keyof typeof TLS_ALERT;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(TLS_ALERT).map(([name, number]) => [number, name]));

/** The name of an AlertDescription, for a log; `alert(200)` where it has none. */
export const alertName = (alert: number): string => NAMES.get(alert) ?? `alert(${alert})`;

/** Which alert tells a peer why its certificate was refused (RFC 8446 §6.2). */
const ALERT_OF: Record<CertificateReason, number> = {
  absent: TLS_ALERT.certificate_required,
  encoding: TLS_ALERT.bad_certificate,
  expired: TLS_ALERT.certificate_expired,
  'not-yet-valid': TLS_ALERT.bad_certificate,
  'unknown-ca': TLS_ALERT.unknown_ca,
  'bad-signature': TLS_ALERT.bad_certificate,
  'not-a-ca': TLS_ALERT.unknown_ca,
  'path-length': TLS_ALERT.unknown_ca,
  'key-usage': TLS_ALERT.unsupported_certificate,
  'name-constraint': TLS_ALERT.bad_certificate,
  'certificate-policy': TLS_ALERT.bad_certificate,
  'unknown-critical-extension': TLS_ALERT.unsupported_certificate,
  weak: TLS_ALERT.bad_certificate,
  limit: TLS_ALERT.bad_certificate,
  revoked: TLS_ALERT.certificate_revoked,
  'revocation-unknown': TLS_ALERT.certificate_unknown,
  'name-mismatch': TLS_ALERT.bad_certificate,
  pin: TLS_ALERT.bad_certificate,
  'refused-by-peer': TLS_ALERT.certificate_unknown,
  internal: TLS_ALERT.certificate_unknown,
};

/**
 * The alert for a refused certificate. A server that presented none gets bad_certificate, as certificate_required
 * is for clients only (RFC 8446 §6.2).
 */
export function alertForCertificate(reason: CertificateReason, presenter: 'client' | 'server'): number {
  return reason === 'absent' && presenter === 'server' ? TLS_ALERT.bad_certificate : ALERT_OF[reason];
}
