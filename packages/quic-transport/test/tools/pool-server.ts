import { type Connection, type ConnectionKind, type StanzaStream, StreamError } from '@stanzaport/core';
import type { CredentialOptions } from '@stanzaport/tls-shared';
import type { QuicListener, QuicOptions } from '../../src/index.ts';
import { createQuicTransport, headerOf, testCa } from './quic-pair.ts';

/** A server that answers every stream, echoes what comes on it, and keeps what it has seen. */
export interface PoolServer {
  readonly listener: QuicListener;
  readonly connections: readonly Connection[];
  /** `from to` of each stream whose header came. */
  readonly headers: readonly string[];
  close(): Promise<void>;
}

/** One credential for all of `dnsNames`. */
export async function credentialFor(...dnsNames: readonly string[]): Promise<CredentialOptions> {
  const { chainPem, keyPem } = await (await testCa()).issue({ dnsNames });
  return { cert: chainPem, key: keyPem };
}

export async function servePool(
  kind: ConnectionKind,
  credentials: readonly CredentialOptions[],
  options: Partial<QuicOptions> = {},
): Promise<PoolServer> {
  const transport = await createQuicTransport({ domains: [], credentials, options });
  const listener = await transport.listen({ host: '127.0.0.1', port: 0, kinds: [kind] });
  const connections: Connection[] = [];
  const headers: string[] = [];
  listener.connections$.subscribe((connection) => {
    connections.push(connection);
    connection.streams$.subscribe({
      next: (stream) => answer(stream, headers),
      error: () => undefined,
    });
  });
  return {
    listener,
    connections,
    headers,
    close: () => listener.close({ drainMs: 0 }),
  };
}

/** As a server does: in s2s each stream's own `from` is proved by the certificate of the handshake (XEP-0467 §2). */
function answer(stream: StanzaStream, headers: string[]): void {
  stream.events$.subscribe({
    next: (event) => {
      if (event.type === 'header') {
        const { from = '', to } = event.header;
        headers.push(`${from} ${to}`);
        stream.sendHeader();
        const { kind, security } = stream.connection;
        const isProved = kind === 'c2s' || security.verify({ domain: from, purpose: 's2s-client' }).verified;
        if (isProved) stream.markAuthenticated();
        else stream.abort(new StreamError('not-authorized'));
      } else if (event.type === 'stanza') {
        stream.send(event.stanza);
      }
    },
    error: () => undefined,
  });
}

/** Sends `count` stanzas and takes the echo of each; resolves to their ids in the order of the echoes. */
export async function converse(
  stream: StanzaStream,
  header: { readonly to: string; readonly from?: string },
  { name, count }: { readonly name: string; readonly count: number },
): Promise<readonly string[]> {
  stream.sendHeader(header);
  await headerOf(stream);
  for (let index = 0; index < count; index++) stream.send(`<message id='${name}-${index}'/>`);
  const ids: string[] = [];
  for await (const stanza of stream) {
    ids.push(stanza.id ?? '');
    if (ids.length === count) break;
  }
  return ids;
}
