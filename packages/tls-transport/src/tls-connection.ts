import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  CertificateExpiry,
  type ConnectionKind,
  type NetworkPath,
  type Role,
  SingleStreamConnection,
  StreamError,
} from '@stanzaport/core';
import { TlsByteStream } from './tls-byte-stream.ts';
import type { TlsParts } from './tls-parts.ts';
import type { TlsSecurity } from './tls-security.ts';

/** What came of a handshake that was good. */
export interface SecuredSocket {
  readonly kind: ConnectionKind;
  readonly tls: TLSSocket;
  /** The socket under `tls`. */
  readonly tcp: Socket;
  readonly path: NetworkPath;
  readonly security: TlsSecurity;
}

/** The connection over a secured socket: it carries one stanza stream, and ends with it. */
export function createTlsConnection(
  { upgrade, limits, logger, credentials }: TlsParts,
  role: Role,
  { kind, tls, tcp, path, security }: SecuredSocket,
): SingleStreamConnection {
  const bytes = new TlsByteStream(tls, tcp, `${path.remote.address} port ${path.remote.port}`);
  const connection = new SingleStreamConnection(bytes, {
    transport: upgrade,
    kind,
    role,
    security,
    path,
    limits,
    logger,
    serves: (domain) => credentials.serves(domain),
  });
  if (kind === 's2s') watchExpiry(connection, security);
  return connection;
}

/** What a certificate proved is not proved any more when it has expired: the stream gets `reset` (RFC 6120 §13.7.2.3). */
function watchExpiry(connection: SingleStreamConnection, security: TlsSecurity): void {
  const expiry = new CertificateExpiry(() => connection.abortStream(new StreamError('reset')));
  security.onVerdict = (verdict) => expiry.note(verdict);
  if (security.verdict !== null) expiry.note(security.verdict);
  void connection.closed.then(() => expiry.stop());
}
