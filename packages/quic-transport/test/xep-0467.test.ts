import type { TransportError } from '@stanzaport/core';
import { certificateVectors } from '@stanzaport/testing';
import { firstValueFrom, take, toArray } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import type { QuicListener } from '../src/index.ts';
import { lookAt } from './engine/native-view.ts';
import { codeForHelloWithoutAlpn } from './tools/hello-without-alpn.ts';
import {
  collect,
  connectPair,
  createQuicTransport,
  DOMAIN,
  HEADER,
  headerOf,
  openStreamPair,
  targetOf,
  testCa,
} from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';
import { RawQuicServer } from './tools/raw-quic-server.ts';

const ca = await testCa();
const vectors = await certificateVectors(ca);
const listeners: QuicListener[] = [];

afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close({ drainMs: 0 })));
});

async function listen(
  kinds: readonly ('c2s' | 's2s')[] = ['c2s'],
  setup: Parameters<typeof createQuicTransport>[0] = {},
): Promise<QuicListener> {
  const transport = await createQuicTransport(setup);
  const listener = await transport.listen({ host: '127.0.0.1', port: 0, kinds });
  listeners.push(listener);
  return listener;
}

/** The code of the CONNECTION_CLOSE a raw client is refused with. */
async function refusal(options: Parameters<typeof RawQuicClient.start>[0]): Promise<number | undefined> {
  const client = await RawQuicClient.start(options);
  await client.until(() => client.engine.draining || client.engine.closed);
  const error = client.engine.peerError;
  await client.stop();
  return error?.application === false ? error.code : undefined;
}

describe('SNI (XEP-0467 §2 (4))', () => {
  test('[Q-08] a ClientHello without SNI is refused with missing_extension, and nothing is kept of it', async () => {
    const listener = await listen();
    for (let count = 0; count < 20; count++) {
      const { closeCode } = await lookAt(listener.address.port, null, (view) => view.closeCode !== undefined);
      expect(closeCode).toBe(0x016d);
    }
    expect(listener.counters).toMatchObject({ refused: 20, admitted: 0 });
    expect(listener.routeCount).toBe(0);
  });

  test('[POL-02] [Q-08] a name that is not served is refused with unrecognized_name', async () => {
    const { address, counters } = await listen();
    expect(counters.refused).toBe(0);
    expect(await refusal({ port: address.port, serverName: 'verona.example' })).toBe(0x0170);
  });

  test('[Q-07] SNI is the domain as A-labels, whatever host is connected to', async () => {
    const { address } = await listen(['c2s'], { domains: ['xn--bcher-kva.example'] });
    const client = await createQuicTransport({ domains: [] });
    await using connection = await client.connect(targetOf(address, 'c2s', 'BÜCHER.example'));
    expect(connection.security.sni).toBe('xn--bcher-kva.example');
    expect(connection.security.verdict).toMatchObject({ verified: true });
  });

  test('[Q-07] a domain that is an IP address is a config error before any packet', async () => {
    const client = await createQuicTransport({ domains: [] });
    for (const domain of ['127.0.0.1', '[::1]', '::1']) {
      const connecting = client.connect({ kind: 'c2s', domain, host: '127.0.0.1', port: 9 });
      await expect(connecting).rejects.toMatchObject({ category: 'config' });
    }
  });

  test('[CERT-25] each domain is shown its own certificate', async () => {
    const { address } = await listen(['c2s'], { domains: [DOMAIN, 'montague.example'] });
    const client = await createQuicTransport({ domains: [] });
    for (const domain of [DOMAIN, 'montague.example']) {
      await using connection = await client.connect(targetOf(address, 'c2s', domain));
      expect(connection.security.verdict).toMatchObject({ verified: true, matched: `dns:${domain}` });
    }
  });
});

describe('ALPN (XEP-0467 §2 (5) to (7))', () => {
  const cases = [
    ['[Q-02] [Q-10] a client of HTTP/3', ['c2s', 's2s'], ['h3']],
    ['[Q-11] a client at a listener for servers', ['s2s'], ['xmpp-client']],
    ['[Q-12] a server at a listener for clients', ['c2s'], ['xmpp-server']],
  ] as const;
  for (const [title, kinds, alpn] of cases) {
    test(`${title} is refused with no_application_protocol; the listener keeps serving`, async () => {
      const { address } = await listen(kinds);
      expect(await refusal({ port: address.port, config: { alpn } })).toBe(0x0178);
      const client = await createQuicTransport({ domains: ['a.example'] });
      const target = { ...targetOf(address, kinds[0]), localDomain: 'a.example' };
      await using connection = await client.connect(target);
      expect(connection.security.alpn).toBe(kinds[0] === 'c2s' ? 'xmpp-client' : 'xmpp-server');
    });
  }

  test('[Q-10] a ClientHello without ALPN is refused with no_application_protocol', async () => {
    const { address, counters } = await listen();
    expect(counters.refused).toBe(0);
    expect(await codeForHelloWithoutAlpn(address.port)).toBe(0x0178);
  });

  test('[Q-02] [Q-10] a server that speaks only HTTP/3 is left with 0x0178, and no stream is opened', async () => {
    const server = await RawQuicServer.start(await ca.issue({ dnsNames: [DOMAIN] }), ['h3']);
    const client = await createQuicTransport({ domains: [] });
    const target = targetOf({ family: 'IPv4', address: '127.0.0.1', port: server.port });
    await expect(client.connect(target)).rejects.toMatchObject({ category: 'alpn' });
    await server.until((engine) => engine.draining || engine.localError !== null);
    const told = server.engine?.peerError ?? server.engine?.localError;
    expect(told).toMatchObject({ application: false, code: 0x0178 });
    expect([...(server.engine?.readableStreams() ?? [])]).toEqual([]);
    await server.stop();
  });

  test('[Q-10] [TC-09] the refusal reaches the caller as an error of category alpn', async () => {
    const { address } = await listen(['s2s']);
    const client = await createQuicTransport({ domains: [] });
    const connecting = client.connect(targetOf(address, 'c2s'));
    await expect(connecting).rejects.toMatchObject({ category: 'alpn', alert: 120, quicCode: 0x0178 });
  });

  test('[Q-11] [Q-12] both kinds on one port, told apart; a header of the other namespace is refused', async () => {
    const listener = await listen(['c2s', 's2s'], { options: { s2sClientCertificate: 'none' } });
    const arrived = firstValueFrom(listener.connections$.pipe(take(2), toArray()));
    for (const alpn of ['xmpp-client', 'xmpp-server']) {
      const client = await RawQuicClient.connect({ port: listener.address.port, config: { alpn: [alpn] } });
      const wrong = alpn === 'xmpp-client' ? 'jabber:server' : 'jabber:client';
      client.write(0, HEADER.replace('jabber:client', wrong));
      const connection = (await firstValueFrom(listener.connections$)) ?? null;
      expect(connection).not.toBeNull();
      await client.stop();
    }
    const connections = await arrived;
    expect(connections.map(({ kind }) => kind)).toEqual(['c2s', 's2s']);
    for (const connection of connections) {
      const stream = await firstValueFrom(connection.streams$);
      expect(await collect(stream).ended).toBe('invalid-namespace');
    }
  });
});

/** Faults for which this side's own TLS stack, or the credential store, will not serve the certificate at all. */
const UNSERVABLE: ReadonlySet<string> = new Set([
  'subjectAltName cut off',
  'empty subjectAltName',
  'self-signed CA as leaf',
  'name constraints without a subtree',
]);

describe('certificates (XEP-0467 §2 (2))', () => {
  // A client of ours asks for one of these two; who proves an initiating server has a test of its own below.
  const ofServers = vectors.filter(({ question, servable }) => servable && question.purpose !== 's2s-client');
  for (const { requirement, name, credential, question, expected } of ofServers) {
    test(`[Q-03] [Q-23] [${requirement}] ${name}: ${expected}`, async () => {
      const kind = question.purpose === 'c2s-server' ? 'c2s' : 's2s';
      const listening = listen([kind], {
        domains: [],
        credentials: [{ domain: question.domain, cert: credential.chainPem, key: credential.keyPem }],
        options: { s2sClientCertificate: 'none' },
      });
      if (UNSERVABLE.has(name)) {
        await expect(listening).rejects.toMatchObject({ code: 'XMPP_BAD_CREDENTIAL' });
        return;
      }
      const listener = await listening;
      const { address } = listener;
      const client = await createQuicTransport({ domains: [] });
      const connecting = client.connect(targetOf(address, kind, question.domain));
      if (expected === 'good') {
        await using connection = await connecting;
        expect(connection.security.verdict).toMatchObject({ verified: true });
        return;
      }
      const accepted = firstValueFrom(listener.connections$);
      const refused = await connecting.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refused).toMatchObject({ category: 'certificate', reason: expected });
      // CONNECTION_CLOSE with a certificate alert, and not a stream was opened (CERT-01).
      const { error } = await (await accepted).closed;
      expect([42, 43, 44, 45, 46, 48]).toContain(error?.alert);
      expect(error?.alert).toBe((refused as TransportError).alert);
      expect(error?.category).toBe('certificate');
    });
  }

  test('[Q-04] [Q-20] the certificate of a server proves the from of each stream on its own', async () => {
    const both = await ca.issue({ dnsNames: ['a.example', 'b.example'] });
    const { address } = await listen(['s2s']);
    const listener = listeners[0] as QuicListener;
    const accepted = firstValueFrom(listener.connections$);
    const client = await createQuicTransport({
      domains: [],
      credentials: [{ domain: ['a.example', 'b.example'], cert: both.chainPem, key: both.keyPem }],
    });
    await using connection = await client.connect({ ...targetOf(address, 's2s'), localDomain: 'a.example' });
    const { security } = await accepted;
    expect(security.peerCertificates).toHaveLength(2);
    const verdicts = ['a.example', 'b.example', 'c.example'].map(
      (domain) => security.verify({ domain, purpose: 's2s-client' }).verified,
    );
    expect(verdicts).toEqual([true, true, false]);
    expect(connection.security.verdict).toMatchObject({ verified: true });
  });

  test('[CERT-19] [CERT-20] a server with a bad certificate is heard and not believed', async () => {
    const bad = await ca.issue({ dnsNames: ['a.example'], signer: 'self' });
    const listener = await listen(['s2s']);
    const client = await createQuicTransport({
      domains: [],
      credentials: [{ domain: 'a.example', cert: bad.chainPem, key: bad.keyPem }],
    });
    const accepted = firstValueFrom(listener.connections$);
    await using connection = await client.connect({ ...targetOf(listener.address, 's2s'), localDomain: 'a.example' });
    expect(connection.kind).toBe('s2s');
    const { security } = await accepted;
    expect(security.peerCertificates).toHaveLength(1);
    const verdict = security.verify({ domain: 'a.example', purpose: 's2s-client' });
    expect(verdict).toMatchObject({ verified: false, reason: 'unknown-ca' });
  });

  test('[CERT-20] required: a server that presents none is refused; none: it is not asked', async () => {
    const client = await createQuicTransport({ domains: [] });
    const strict = await listen(['s2s']);
    const refused = await client.connect(targetOf(strict.address, 's2s')).then(
      async (connection) => (await connection.closed).error,
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ category: 'certificate', reason: 'refused-by-peer', alert: 116 });

    const open = await listen(['s2s'], { options: { s2sClientCertificate: 'none' } });
    const accepted = firstValueFrom(open.connections$);
    await using connection = await client.connect(targetOf(open.address, 's2s'));
    expect(connection.kind).toBe('s2s');
    const { security } = await accepted;
    expect(security.peerCertificates).toEqual([]);
    expect(security.verify({ domain: 'a.example', purpose: 's2s-client' })).toMatchObject({ reason: 'absent' });
  });

  test('[Q-24] with dangerAcceptAnyCertificate anyone is believed, and every connection says so', async () => {
    const { address } = await listen(['c2s'], {
      domains: [],
      credentials: [await ca.issue({ dnsNames: [DOMAIN], signer: 'self' })].map(({ chainPem, keyPem }) => ({
        ...{ domain: DOMAIN, cert: chainPem, key: keyPem },
      })),
    });
    const careful = await createQuicTransport({ domains: [] });
    await expect(careful.connect(targetOf(address))).rejects.toMatchObject({ category: 'certificate' });
    const careless = await createQuicTransport({ domains: [], dangerAcceptAnyCertificate: true });
    await using connection = await careless.connect(targetOf(address));
    expect(connection.security.dangers).toEqual(['dangerAcceptAnyCertificate']);
  });

  test('[Q-19] whether the certificate is good for another domain can be asked before a stream to it', async () => {
    const { address } = await listen();
    const client = await createQuicTransport({ domains: [] });
    await using connection = await client.connect(targetOf(address));
    const verdict = connection.security.verify({ domain: 'b.example', purpose: 'c2s-server' });
    expect(verdict).toMatchObject({ verified: false, reason: 'name-mismatch', domain: 'b.example' });
  });
});

describe('streams (XEP-0467 §2 (9))', () => {
  test('[Q-17] each is an XML stream of its own: an error in one leaves the other alone', async () => {
    await using pair = await connectPair();
    const first = await openStreamPair(pair);
    const second = await openStreamPair(pair);
    const broken = collect(first.receiving);
    const told = collect(first.initiating);
    const whole = collect(second.receiving);
    first.initiating.send('<message><body>one</body></message><message><body></message>');
    expect(await broken.ended).toBe('not-well-formed');
    expect(await told.ended).toBe('not-well-formed');
    expect(broken.stanzas).toEqual(['<message><body>one</body></message>']);
    second.initiating.send("<message id='2'/>");
    await expect.poll(() => whole.stanzas).toEqual(["<message id='2'/>"]);
  });

  test('[Q-18] [TC-10] all share the facts of the one handshake, before the first byte', async () => {
    await using pair = await connectPair();
    const first = await openStreamPair(pair);
    const second = await pair.client.openStream();
    expect(second.connection.security).toBe(first.initiating.connection.security);
    expect(second.connection.security).toMatchObject({
      tlsVersion: 'TLSv1.3',
      alpn: 'xmpp-client',
      sni: DOMAIN,
      ech: 'unavailable',
      earlyData: 'none',
      resumed: false,
      dangers: [],
    });
    expect(first.receiving.connection.security).toMatchObject({ alpn: 'xmpp-client', sni: DOMAIN, verdict: null });
  });

  test('[Q-16] unidirectional streams are granted to nobody', async () => {
    const { address } = await listen();
    const view = await lookAt(address.port, DOMAIN, ({ established }) => established);
    expect(view.unidirectionalStreams).toBe(0);
  });

  test('[Q-22] a client grants no stream to its server', async () => {
    const server = await RawQuicServer.start(await ca.issue({ dnsNames: [DOMAIN] }), ['xmpp-client']);
    const client = await createQuicTransport({ domains: [] });
    await using connection = await client.connect(
      targetOf({ family: 'IPv4', address: '127.0.0.1', port: server.port }),
    );
    await server.until((engine) => engine.established);
    expect(server.engine?.peerStreamsLeft).toBe(0);
    expect(() => server.engine?.write(1, Buffer.from('x'), false)).toThrow();
    expect(connection.role).toBe('initiating');
    await server.stop();
  });

  test('[Q-22] the receiving entity opens none, unless both sides allow it in s2s', async () => {
    await using pair = await connectPair();
    await expect(pair.server.openStream()).rejects.toMatchObject({ category: 'limit' });

    const options = { reverseStreams: true, s2sClientCertificate: 'none' } as const;
    await using open = await connectPair({ options }, { options }, 's2s');
    const reverse = await open.server.openStream();
    const arrived = firstValueFrom(open.client.streams$);
    reverse.sendHeader({ to: 'a.example', from: DOMAIN });
    const stream = await arrived;
    expect(stream).toMatchObject({ role: 'receiving' });
    expect(stream.connection).toBe(open.client);
  });

  test('[Q-21] to may differ from SNI where the domain is served, and only there', async () => {
    const domains = [DOMAIN, 'montague.example'];
    await using pair = await connectPair({ domains });
    for (const [to, ended] of [
      ['montague.example', null],
      ['verona.example', 'host-unknown'],
    ] as const) {
      const initiating = await pair.client.openStream();
      const arrived = firstValueFrom(pair.server.streams$);
      initiating.sendHeader({ to });
      const receiving = await arrived;
      if (ended === null) {
        await headerOf(receiving);
        expect(receiving.header?.to).toBe(to);
      } else {
        expect(await collect(receiving).ended).toBe(ended);
        expect(await collect(initiating).ended).toBe(ended);
      }
    }
  });

  test('[Q-05] STARTTLS on a QUIC stream ends that stream alone', async () => {
    await using pair = await connectPair();
    const first = await openStreamPair(pair);
    const second = await openStreamPair(pair);
    const ended = collect(first.receiving).ended;
    first.initiating.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    expect(await ended).toBe('XMPP_TRANSPORT_VIOLATION');
    const other = collect(second.receiving);
    second.initiating.send('<presence/>');
    await expect.poll(() => other.stanzas).toEqual(['<presence/>']);
  });
});

test('[Q-14] migration is not forbidden, and spare connection IDs are supplied', async () => {
  const { address } = await listen();
  const view = await lookAt(address.port, DOMAIN, ({ spareConnectionIds }) => spareConnectionIds >= 1);
  expect(view.forbidsMigration).toBe(false);
});
