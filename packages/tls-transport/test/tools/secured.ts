import { once } from 'node:events';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { ConnectionKind } from '@stanzaport/core';
import type { TlsListener } from '../../src/index.ts';
import { startTls } from './clear-text.ts';
import { connectRaw, secureRaw } from './raw-tls.ts';
import { DOMAIN } from './transports.ts';

/** A TLS client that checks nothing; servername is the domain unless told otherwise. */
export async function secured(
  { transport, address }: TlsListener,
  options: ConnectionOptions = {},
  kind: ConnectionKind = 'c2s',
): Promise<TLSSocket> {
  const tcp = await connectRaw(address.port);
  if (transport === 'starttls') await startTls(tcp, kind);
  return secureRaw(tcp, { servername: DOMAIN, ...options });
}

/** The alert a client is refused with, also when its own handshake was done already (TLS 1.3). */
export async function alertFor(listener: TlsListener, options: ConnectionOptions): Promise<number | null> {
  const numberIn = ({ message }: Error): number | null =>
    Number(/SSL alert number (\d+)/.exec(message)?.[1] ?? Number.NaN) || null;
  try {
    const tls = await secured(listener, options);
    const failed = once(tls, 'error');
    tls.resume();
    const [error] = (await failed) as [Error];
    return numberIn(error);
  } catch (error) {
    return numberIn(error as Error);
  }
}
