import type { Socket } from 'node:net';
import type { ConnectionKind } from '@stanzaport/core';
import { readUntil } from './raw-tls.ts';
import { DOMAIN } from './transports.ts';

/** A stream header as a client or server sends it. */
export function headerOf(kind: ConnectionKind = 'c2s', to = DOMAIN): string {
  const namespace = kind === 'c2s' ? 'jabber:client' : 'jabber:server';
  return (
    `<?xml version='1.0'?><stream:stream to='${to}' version='1.0' xmlns='${namespace}' ` +
    "xmlns:stream='http://etherx.jabber.org/streams'>"
  );
}

export const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
export const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/** The clear-text part as an honest client plays it, up to `<proceed/>`. */
export async function startTls(tcp: Socket, kind: ConnectionKind = 'c2s', to = DOMAIN): Promise<void> {
  tcp.write(headerOf(kind, to));
  await readUntil(tcp, /<\/stream:features>/);
  tcp.write(STARTTLS);
  await readUntil(tcp, /<proceed [^>]*>/);
}

/** The clear-text part as a server plays it that looks at nothing. */
export async function proceed(tcp: Socket): Promise<void> {
  const header = await readUntil(tcp, /<stream:stream [^>]*>/);
  const kind = header.includes('jabber:client') ? 'c2s' : 's2s';
  tcp.write(`${headerOf(kind).replace(/ to='[^']*'/, '')}<stream:features/>`);
  await readUntil(tcp, /<starttls [^>]*>/);
  tcp.write(PROCEED);
}
