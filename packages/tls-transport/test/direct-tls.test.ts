import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { TransportError } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { TlsListener } from '../src/index.ts';
import { headerOf } from './tools/clear-text.ts';
import { listenersOf } from './tools/listening.ts';
import { connectRaw, readToEnd, readUntil, secureRaw } from './tools/raw-tls.ts';
import { serve } from './tools/scripted-server.ts';
import { alertFor, secured } from './tools/secured.ts';
import { collectTexts, takeStream } from './tools/stream-texts.ts';
import { createTransport, DOMAIN, issue, OTHER_DOMAIN, targetOf, testCa } from './tools/transports.ts';

const upgrade = 'direct-tls';
const listen = listenersOf(upgrade);

/** What a server writes to a client before it ends the connection, raw. */
async function answerTo({ address }: TlsListener, bytes: string | Uint8Array): Promise<Buffer> {
  const tcp: Socket = await connectRaw(address.port);
  tcp.write(bytes);
  const answer = await readToEnd(tcp);
  tcp.destroy();
  return Buffer.from(answer, 'latin1');
}

describe('the handshake', () => {
  test('[TLS-01] the first bytes of the initiating entity are a ClientHello, and those of the answer a ServerHello', async () => {
    const { address } = await listen();
    const seen: Buffer[] = [];
    await using proxy = await serve(async (tcp) => {
      const onwards = await connectRaw(address.port);
      tcp.once('data', (chunk) => seen.push(chunk));
      onwards.once('data', (chunk) => seen.push(chunk));
      tcp.pipe(onwards).pipe(tcp);
    });
    const { port } = proxy;
    const { transport } = await createTransport({ upgrade, domains: [] });
    const connection = await transport.connect({ ...targetOf(address), port });
    expect(seen.map((chunk) => [chunk[0], chunk[5]])).toEqual([
      [22, 1],
      [22, 2],
    ]);
    connection.abort();
  });

  test.each([
    ['a stream header', Buffer.from(headerOf())],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: capulet.example\r\n\r\n')],
    ['rubbish', Buffer.alloc(1_000, 0xaa)],
  ])('[TLS-02] %s in clear text ends without a byte of XMPP', async (_title, bytes) => {
    const listener = await listen();
    const answer = await answerTo(listener, bytes);
    expect(answer.toString('latin1')).not.toContain('stream');
    expect(answer.length).toBeLessThanOrEqual(7);
    expect(listener.counters.failedHandshakes).toBe(1);
  });
});

describe('names', () => {
  test('[POL-02] a name that is not served gets unrecognized_name, never the default certificate', async () => {
    const listener = await listen(['c2s'], { options: { defaultDomain: DOMAIN } });
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      expect(await alertFor(listener, { servername: 'verona.example', maxVersion })).toBe(112);
    }
  });

  test('[CERT-25] without a name the handshake fails, unless there is a default', async () => {
    expect(await alertFor(await listen(), { servername: '' })).toBe(40);
    const listener = await listen(['c2s'], { domains: [OTHER_DOMAIN, DOMAIN], options: { defaultDomain: DOMAIN } });
    const accepted = firstValueFrom(listener.connections$);
    const tls = await secured(listener, { servername: '' });
    expect(tls.getPeerCertificate().subjectaltname).toBe(`DNS:${DOMAIN}`);
    expect((await accepted).security.sni).toBeNull();
    tls.destroy();
  });

  test('[Q-07] SNI is the domain as A-labels, whatever host is connected to', async () => {
    const { address } = await listen(['c2s'], { domains: ['xn--bcher-kva.example'] });
    const { transport } = await createTransport({ upgrade, domains: [] });
    const connection = await transport.connect(targetOf(address, 'c2s', 'BÜCHER.example'));
    expect(connection.security.sni).toBe('xn--bcher-kva.example');
    connection.abort();
  });

  test('[Q-07] a domain that is an IP address is a config error before any packet', async () => {
    const { transport } = await createTransport({ upgrade, domains: [] });
    for (const domain of ['127.0.0.1', '[::1]', '::1']) {
      const connecting = transport.connect({ kind: 'c2s', domain, host: '127.0.0.1', port: 9 });
      await expect(connecting).rejects.toMatchObject({ category: 'config' });
    }
  });
});

describe('who is at the other end', () => {
  test.each([
    ['h2', ['c2s']],
    ['xmpp-server', ['c2s']],
    ['xmpp-client', ['s2s']],
  ] as const)('[POL-03] ALPN %s at a listener for %o gets no_application_protocol', async (protocol, kinds) => {
    expect(await alertFor(await listen(kinds), { ALPNProtocols: [protocol] })).toBe(120);
  });

  test('[POL-03] of several protocols the first of the listener is selected', async () => {
    const listener = await listen(['s2s', 'c2s']);
    const tls = await secured(listener, { ALPNProtocols: ['http/1.1', 'xmpp-client', 'xmpp-server'] });
    expect(tls.alpnProtocol).toBe('xmpp-server');
    tls.destroy();
  });

  test.each([
    ['c2s', ['c2s']],
    ['s2s', ['s2s']],
    ['c2s', ['s2s', 'c2s']],
    ['s2s', ['c2s', 's2s']],
  ] as const)('[POL-04] without ALPN, a header of %s at a listener for %o', async (kind, kinds) => {
    const listener = await listen(kinds, { options: { s2sClientCertificate: 'none' } });
    const accepted = firstValueFrom(listener.connections$);
    const tls = await secured(listener);
    const document = `${headerOf(kind)}<one/><two/></stream:stream>`;
    for (const character of document) tls.write(character);
    const connection = await accepted;
    expect(connection).toMatchObject({ kind, security: { alpn: null } });
    const { stanzas, ended } = collectTexts(await takeStream(connection));
    tls.end();
    tls.resume();
    expect(await ended).toBe('clean');
    expect(stanzas).toEqual(['<one/>', '<two/>']);
  });

  test('[POL-04] without ALPN, what is no header is answered by a stream error', async () => {
    const listener = await listen(['c2s', 's2s']);
    const accepted = firstValueFrom(listener.connections$);
    const tls = await secured(listener);
    tls.write('<html><body/></html>');
    const stream = await takeStream(await accepted);
    expect(await collectTexts(stream).ended).toBe('bad-format');
    expect(await readToEnd(tls)).toMatch(/<stream:error><bad-format .*<\/stream:stream>$/);
    tls.end();
  });

  test('[POL-04] ALPN xmpp-client with jabber:server is invalid-namespace', async () => {
    const listener = await listen(['c2s', 's2s']);
    const accepted = firstValueFrom(listener.connections$);
    const tls = await secured(listener, { ALPNProtocols: ['xmpp-client'] });
    tls.write(headerOf('s2s'));
    const stream = await takeStream(await accepted);
    expect(await collectTexts(stream).ended).toBe('invalid-namespace');
    tls.destroy();
  });

  test('[POL-04] a server that knows nothing of ALPN is good enough', async () => {
    const { cert, key } = await issue(DOMAIN);
    const secureContext = createSecureContext({ cert, key });
    await using server = await serve((tcp) =>
      new TLSSocket(tcp, { isServer: true, secureContext }).on('error', () => undefined).resume(),
    );
    const { port } = server;
    const { transport } = await createTransport({ upgrade, domains: [] });
    const connection = await transport.connect({ kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port });
    expect(connection.security.alpn).toBeNull();
    connection.abort();
  });
});

describe('certificates of servers that connect', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '[CERT-20] required: without one the handshake fails, %s',
    async (version) => {
      const listener = await listen(['s2s']);
      const alert = await alertFor(listener, { ALPNProtocols: ['xmpp-server'], maxVersion: version });
      expect(alert).toBe(version === 'TLSv1.3' ? 116 : 40);
      expect(listener.counters.failedHandshakes).toBe(1);
      expect(listener.connectionCount).toBe(0);
    },
  );

  test('[CERT-20] required, on a listener that clients share: clients need none, servers without one are cut off', async () => {
    const listener = await listen(['c2s', 's2s']);
    const client = await secured(listener, { ALPNProtocols: ['xmpp-client'] });
    const server = await secured(listener, { ALPNProtocols: ['xmpp-server'] });
    await readToEnd(server);
    server.destroy();
    expect(listener.counters.failedHandshakes).toBe(1);
    expect(listener.connectionCount).toBe(1);
    client.destroy();
  });

  test.each(['requested', 'none'] as const)(
    '[CERT-20] %s: without one the connection is there, unproved',
    async (asked) => {
      const listener = await listen(['s2s'], { options: { s2sClientCertificate: asked } });
      const accepted = firstValueFrom(listener.connections$);
      const { cert, key } = await issue(OTHER_DOMAIN);
      const bare = await secured(listener, { ALPNProtocols: ['xmpp-server'] });
      const { security } = await accepted;
      const question = { domain: OTHER_DOMAIN, purpose: 's2s-client' } as const;
      expect(security.peerCertificates).toEqual([]);
      expect(security.verify(question)).toMatchObject({ verified: false, reason: 'absent' });
      bare.destroy();

      const next = firstValueFrom(listener.connections$);
      const proved = await secured(listener, { ALPNProtocols: ['xmpp-server'], cert, key });
      expect((await next).security.verify(question).verified).toBe(asked === 'requested');
      proved.destroy();
    },
  );

  test('[CERT-19] a self-signed one is no reason for the TLS stack; the policy refuses it when it is asked', async () => {
    const listener = await listen(['s2s']);
    const accepted = firstValueFrom(listener.connections$);
    const { chainPem: cert, keyPem: key } = await (await testCa()).issueBad('self-signed', OTHER_DOMAIN);
    const tls = await secured(listener, { ALPNProtocols: ['xmpp-server'], cert, key });
    const { security } = await accepted;
    expect(security.verify({ domain: OTHER_DOMAIN, purpose: 's2s-client' })).toMatchObject({ reason: 'unknown-ca' });
    tls.destroy();
  });

  test('[CERT-01] what the policy refuses is told with domain, peer and reason, and no byte of XMPP is sent', async () => {
    const { transport } = await createTransport({ upgrade, domains: [] });
    const { cert, key } = await issue(OTHER_DOMAIN);
    const { address } = await listen(['c2s'], { credentials: [{ domain: 'verona.example', cert, key }] });
    const error: TransportError = await transport.connect(targetOf(address, 'c2s', 'verona.example')).then(
      () => Promise.reject(new Error('it has connected')),
      (refused: TransportError) => refused,
    );
    expect(error).toMatchObject({ category: 'certificate', reason: 'name-mismatch', domain: 'verona.example' });
    expect(error.message).toContain(`verona.example (127.0.0.1 port ${address.port})`);
  });
});

describe('ends', () => {
  /** A connection with its stream, at which one stanza has arrived. */
  async function opened(listener: TlsListener) {
    const accepted = firstValueFrom(listener.connections$);
    const tcp = await connectRaw(listener.address.port);
    const tls = await secureRaw(tcp, { servername: DOMAIN });
    tls.write(`${headerOf()}<one/>`);
    const connection = await accepted;
    const stream = await takeStream(connection);
    return { tcp, tls, connection, stream, ...collectTexts(stream) };
  }

  test('[TC-13] [TLS-03] TLS cut short, TCP ended in order: no clean end, and what came before is delivered', async () => {
    const { tcp, stanzas, ended, connection } = await opened(await listen());
    tcp.end();
    expect(await ended).toBe('XMPP_PEER_CLOSED');
    expect(stanzas).toEqual(['<one/>']);
    expect((await connection.closed).clean).toBe(false);
    tcp.destroy();
  });

  test('[TC-13] TLS ended in order, without a closing tag: no clean end', async () => {
    const { tcp, tls, stanzas, ended, connection } = await opened(await listen());
    tls.end();
    expect(await ended).toBe('XMPP_PEER_CLOSED');
    expect(stanzas).toEqual(['<one/>']);
    expect((await connection.closed).clean).toBe(false);
    tcp.destroy();
  });

  test('[TC-13] a damaged record ends with tls, not cleanly', async () => {
    const { tcp, ended, connection } = await opened(await listen());
    tcp.write(Buffer.from([23, 3, 3, 0, 32, ...new Uint8Array(32)]));
    expect(await ended).toBe('XMPP_TLS_FAILED');
    expect(await connection.closed).toMatchObject({ clean: false, by: 'peer' });
    tcp.destroy();
  });

  test('[TC-05] half-close: what the peer writes after our end still arrives', async () => {
    const { tls, stanzas, ended, stream } = await opened(await listen());
    tls.write('<two/>');
    const closing = stream.close();
    await readUntil(tls, /<\/stream:stream>$/);
    tls.end('<three/></stream:stream>');
    tls.resume();
    await closing;
    expect(await ended).toBe('clean');
    expect(stanzas).toEqual(['<one/>', '<two/>', '<three/>']);
  });

  test('[TC-13] a connection without a stream ends cleanly, whoever ends it', async () => {
    const listener = await listen();
    const { transport } = await createTransport({ upgrade, domains: [] });
    for (const closer of ['client', 'server'] as const) {
      const accepted = firstValueFrom(listener.connections$);
      const client = await transport.connect(targetOf(listener.address));
      const server = await accepted;
      await (closer === 'client' ? client : server).close();
      expect(await client.closed).toMatchObject({ clean: true, by: closer === 'client' ? 'local' : 'peer' });
      expect(await server.closed).toMatchObject({ clean: true, by: closer === 'server' ? 'local' : 'peer' });
    }
  });
});
