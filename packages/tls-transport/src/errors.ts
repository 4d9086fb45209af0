import { CertificateError, TransportError } from '@stanzaport/core';
import { alertName, TLS_ALERT } from '@stanzaport/tls-shared';

/** How far a connection has come, for the message and for what an error means. */
export type Stage =
  | 'connecting'
  | 'negotiating STARTTLS'
  | 'shaking hands for TLS'
  | 'awaiting the stream header'
  | 'open';

/** TLS alerts (RFC 8446 §6.2) that say something about certificates. */
const CERTIFICATE_ALERTS: ReadonlySet<number> = new Set([
  TLS_ALERT.bad_certificate,
  TLS_ALERT.unsupported_certificate,
  TLS_ALERT.certificate_revoked,
  TLS_ALERT.certificate_expired,
  TLS_ALERT.certificate_unknown,
  TLS_ALERT.unknown_ca,
  TLS_ALERT.bad_certificate_status_response,
  TLS_ALERT.certificate_required,
]);

const UNREACHABLE: ReadonlySet<string> = new Set([
  'EADDRNOTAVAIL',
  'EACCES',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EPERM',
]);
const RESET: ReadonlySet<string> = new Set(['ECONNABORTED', 'ECONNRESET', 'EPIPE']);

/** Puts what a socket fails with into a typed error. @param peer for the message. */
export function errorOfSocket(cause: Error & { readonly code?: string }, peer: string, stage: Stage): TransportError {
  const code = cause.code ?? '';
  if (code === 'ECONNREFUSED') return new TransportError('XMPP_REFUSED', `nobody listens at ${peer}`, { cause });
  if (UNREACHABLE.has(code)) return new TransportError('XMPP_UNREACHABLE', `${peer} cannot be reached`, { cause });
  if (RESET.has(code)) return peerReset(peer, stage, cause);
  if (code === 'ETIMEDOUT') {
    return stage === 'open'
      ? new TransportError('XMPP_IDLE_TIMEOUT', `${peer} does not answer any more`, { cause })
      : handshakeTimeout(peer, stage);
  }
  if (/^ERR_(?:SSL|TLS)_/.test(code)) return errorOfTls(cause, code, peer, stage);
  return new TransportError('XMPP_INTERNAL', `the socket of ${peer} failed ${stageText(stage)}`, { cause });
}

/** @param cause what the socket said, if anything. */
export function peerReset(peer: string, stage: Stage, cause?: Error): TransportError {
  return new TransportError('XMPP_PEER_RESET', `${peer} closed the connection ${stageText(stage)}`, { cause });
}

export function handshakeTimeout(peer: string, stage: Stage): TransportError {
  return new TransportError('XMPP_HANDSHAKE_TIMEOUT', `${peer} was not ready in time ${stageText(stage)}`);
}

/** What OpenSSL says where it has no certificate to present: of TLS 1.2, and of 1.3. */
const WITHOUT_CERTIFICATE: ReadonlySet<string> = new Set([
  'ERR_SSL_NO_SHARED_CIPHER',
  'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM',
]);

export const isWithoutCertificate = ({ code = '' }: Error & { readonly code?: string }): boolean =>
  WITHOUT_CERTIFICATE.has(code);

/** OpenSSL answers it with handshake_failure, as there is no certificate to present (CERT-25). */
export function noServerName(peer: string): TransportError {
  const message = `${peer} sent no server name, and there is no default`;
  return new TransportError('XMPP_TLS_FAILED', message, { alert: TLS_ALERT.handshake_failure });
}

/** RFC 7627 §5.3: the alert that would fit; nobody can send one when a handshake is over. */
export function noExtendedMasterSecret(peer: string): TransportError {
  const message = `TLS 1.2 with ${peer} does not extend the master secret`;
  return new TransportError('XMPP_TLS_FAILED', message, { alert: TLS_ALERT.handshake_failure });
}

function errorOfTls(cause: Error, code: string, peer: string, stage: Stage): TransportError {
  // OpenSSL tells the number of an alert that was received at the end of its message, and nowhere else.
  const received = /SSL alert number (\d{1,3})\b/.exec(cause.message)?.[1];
  if (received !== undefined) return errorOfAlert(Number(received), cause, peer, stage);
  if (code === 'ERR_SSL_NO_APPLICATION_PROTOCOL') {
    const details = { cause, alert: TLS_ALERT.no_application_protocol };
    return new TransportError('XMPP_NO_APPLICATION_PROTOCOL', `${peer} offered no protocol of XMPP`, details);
  }
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') {
    const details = { cause, alert: TLS_ALERT.certificate_required };
    return new CertificateError('absent', null, `${peer} presented no certificate`, details);
  }
  return new TransportError('XMPP_TLS_FAILED', `TLS with ${peer} failed ${stageText(stage)} (${code})`, { cause });
}

function errorOfAlert(alert: number, cause: Error, peer: string, stage: Stage): TransportError {
  const details = { cause, alert };
  const said = `${alertName(alert)} ${stageText(stage)}`;
  if (CERTIFICATE_ALERTS.has(alert)) {
    return new CertificateError('refused-by-peer', null, `${peer} refused our certificate (${said})`, details);
  }
  if (alert === TLS_ALERT.no_application_protocol) {
    return new TransportError('XMPP_NO_APPLICATION_PROTOCOL', `${peer} does not speak XMPP (${said})`, details);
  }
  return new TransportError('XMPP_TLS_FAILED', `${peer} ended TLS (${said})`, details);
}

const stageText = (stage: Stage): string => (stage === 'open' ? 'while it was open' : `while ${stage}`);
