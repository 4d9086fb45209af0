import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { startTls } from './tools/clear-text.ts';
import { connectRaw, secureRaw } from './tools/raw-tls.ts';
import { connectPair, createTransport, DOMAIN, issue, OTHER_DOMAIN, targetOf } from './tools/transports.ts';

describe.each(['direct-tls', 'starttls'] as const)('facts of %s', (upgrade) => {
  test('[TC-10] both sides know version, cipher, SNI, ALPN and chains; nothing is resumed or early', async () => {
    await using pair = await connectPair({ upgrade }, 's2s');
    const { client, server } = pair;
    for (const { security, transport } of [client, server]) {
      expect(transport).toBe(upgrade);
      expect(security.tlsVersion).toBe('TLSv1.3');
      expect(security.cipher).toMatch(/^TLS_AES_128_GCM_SHA256$/);
      expect(security.sni).toBe(DOMAIN);
      expect(security.alpn).toBe(upgrade === 'direct-tls' ? 'xmpp-server' : null);
      expect(security).toMatchObject({ resumed: false, earlyData: 'none', ech: 'unavailable', dangers: [] });
    }
    expect(hex(client.security.peerCertificates)).toEqual(hex(server.security.localCertificates));
    expect(hex(server.security.peerCertificates)).toEqual(hex(client.security.localCertificates));
    expect(server.security.peerCertificates.length).toBe(2);
    expect(client.security.verdict).toMatchObject({ verified: true, domain: DOMAIN });
    expect(server.security.verdict).toBeNull();
    const question = { domain: OTHER_DOMAIN, purpose: 's2s-client' } as const;
    expect(server.security.verify(question)).toMatchObject({ verified: true, domain: OTHER_DOMAIN });
    expect(server.security.verify({ ...question, domain: DOMAIN })).toMatchObject({ reason: 'name-mismatch' });
  });

  test('[POL-07] tls-exporter is 32 bytes, equal at both ends, and another one for each connection', async () => {
    const values: string[] = [];
    for (let count = 0; count < 2; count += 1) {
      await using pair = await connectPair({ upgrade });
      const [ours, theirs] = [pair.client, pair.server].map(({ security }) => security.channelBinding('tls-exporter'));
      expect(ours).toHaveLength(32);
      expect(theirs).toEqual(ours);
      values.push(Buffer.from(ours ?? []).toString('hex'));
    }
    expect(values[0]).not.toBe(values[1]);
  });

  test('[POL-07] [POL-01] in TLS 1.2, where the master secret is extended, it is there as well', async () => {
    const { transport } = await createTransport({ upgrade });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const accepted = firstValueFrom(listener.connections$);
    const tcp = await connectRaw(listener.address.port);
    if (upgrade === 'starttls') await startTls(tcp);
    const tls = await secureRaw(tcp, { servername: DOMAIN, maxVersion: 'TLSv1.2' });
    const connection = await accepted;
    const { security } = connection;
    expect(security.tlsVersion).toBe('TLSv1.2');
    expect(security.cipher).toBe('TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256');
    expect(security.channelBindings).toEqual(['tls-exporter', 'tls-server-end-point']);
    const ours = tls.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    expect(Buffer.from(security.channelBinding('tls-exporter') ?? [])).toEqual(ours);
    connection.abort();
  });

  test('[POL-08] tls-server-end-point is of the certificate presented, also after another has taken its place', async () => {
    await using pair = await connectPair({ upgrade });
    const { client, server, credentials, listener } = pair;
    const [presented] = client.security.peerCertificates;
    const expected = createHash('sha256')
      .update(presented ?? '')
      .digest();
    credentials.replace([await issue(DOMAIN)]);
    for (const { security } of [client, server]) {
      expect(Buffer.from(security.channelBinding('tls-server-end-point') ?? [])).toEqual(expected);
    }
    const { transport } = await createTransport({ upgrade, domains: [] });
    const later = await transport.connect(targetOf(listener.address));
    expect(later.security.peerCertificates[0]).not.toEqual(presented);
    later.abort();
  });

  test('[CERT-25] each domain is shown its own certificate', async () => {
    const { transport } = await createTransport({ upgrade, domains: [DOMAIN, OTHER_DOMAIN] });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    for (const domain of [DOMAIN, OTHER_DOMAIN]) {
      const connection = await transport.connect(targetOf(listener.address, 'c2s', domain));
      expect(connection.security.verdict).toMatchObject({ matched: `dns:${domain}` });
      connection.abort();
    }
  });

  test.each([
    ['TLSv1.2', 0],
    // OpenSSL sends the name of a session, under which nothing is kept; what is sealed would be longer.
    ['TLSv1.3', 32],
  ] as const)(
    '[POL-05] [POL-06] what a client keeps of a session of %s resumes nothing',
    async (maxVersion, octets) => {
      const { transport } = await createTransport({ upgrade });
      await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
      let session: Buffer | undefined;
      for (let round = 0; round < 3; round += 1) {
        const accepted = firstValueFrom(listener.connections$);
        const tcp = await connectRaw(listener.address.port);
        if (upgrade === 'starttls') await startTls(tcp);
        const tls = await secureRaw(tcp, { servername: DOMAIN, maxVersion, ...(session && { session }) });
        expect(tls.isSessionReused()).toBe(false);
        if (maxVersion === 'TLSv1.3') [session] = (await once(tls, 'session')) as [Buffer];
        else session = tls.getSession();
        expect(session?.length).toBeGreaterThan(0);
        expect(tls.getTLSTicket()?.length ?? 0).toBe(octets);
        const connection = await accepted;
        expect(connection.security.resumed).toBe(false);
        tls.resume();
        tls.on('end', () => tls.end());
        await connection.close();
      }
    },
  );
});

const hex = (chain: readonly Uint8Array[]): string[] => chain.map((der) => Buffer.from(der).toString('hex'));
