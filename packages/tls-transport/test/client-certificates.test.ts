import type { Connection, ConnectionKind } from '@stanzaport/core';
import type { IssueOptions } from '@stanzaport/testing';
import { judgeClientExternal, provenAddresses } from '@stanzaport/tls-shared';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { TlsListener, TlsTransportOptions } from '../src/index.ts';
import { listenersOf } from './tools/listening.ts';
import { secured } from './tools/secured.ts';
import { createTransport, DOMAIN, targetOf, testCa } from './tools/transports.ts';

const JULIET = { xmppAddrs: [`juliet@${DOMAIN}`], extendedKeyUsage: ['clientAuth'] } as const;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe.each(['direct-tls', 'starttls'] as const)('certificates of clients over %s', (upgrade) => {
  const listen = listenersOf(upgrade);
  const asking = (kinds: readonly ConnectionKind[] = ['c2s'], options: Partial<TlsTransportOptions> = {}) =>
    listen(kinds, { options: { c2sClientCertificate: 'requested', ...options } });

  /** The server's end of a client that has this certificate; null for none. */
  async function accepted(listener: TlsListener, certificate: IssueOptions | null): Promise<Connection> {
    const next = firstValueFrom(listener.connections$);
    const credential = certificate === null ? null : await (await testCa()).issue(certificate);
    const own = credential === null ? {} : { cert: credential.chainPem, key: credential.keyPem };
    await secured(listener, { ALPNProtocols: ['xmpp-client'], ...own });
    return next;
  }

  test('[CERT-23] one address: EXTERNAL grants that account, and no other', async () => {
    const { security, kind } = await accepted(await asking(), JULIET);
    expect(kind).toBe('c2s');
    expect(security.peerCertificates).toHaveLength(2);
    expect(provenAddresses(security, DOMAIN)).toEqual([`juliet@${DOMAIN}`]);
    expect(judgeClientExternal(security, { domain: DOMAIN, response: '=' })).toEqual({
      granted: true,
      identity: `juliet@${DOMAIN}`,
    });
    const other = { domain: DOMAIN, response: base64(`romeo@${DOMAIN}`) };
    expect(judgeClientExternal(security, other)).toMatchObject({ granted: false, condition: 'invalid-authzid' });
    const elsewhere = { domain: 'verona.example', response: '=' };
    expect(judgeClientExternal(security, elsewhere)).toMatchObject({ granted: false, condition: 'not-authorized' });
  });

  test('[CERT-23] several addresses: one of them has to be asked for', async () => {
    const { security } = await accepted(await asking(), {
      ...JULIET,
      xmppAddrs: [`juliet@${DOMAIN}`, `nurse@${DOMAIN}`],
    });
    expect(judgeClientExternal(security, { domain: DOMAIN, response: '=' })).toMatchObject({
      condition: 'invalid-authzid',
    });
    const response = base64(`nurse@${DOMAIN}`);
    expect(judgeClientExternal(security, { domain: DOMAIN, response })).toMatchObject({ granted: true });
  });

  test.each([
    ['clientAuth', ['clientAuth'], true],
    ['no extended key usage', null, true],
    ['serverAuth alone', ['serverAuth'], false],
    ['codeSigning alone', ['codeSigning'], false],
  ] as const)('[CERT-11] %s', async (_title, extendedKeyUsage, good) => {
    const { security } = await accepted(await asking(), { ...JULIET, extendedKeyUsage });
    const question = { domain: DOMAIN, purpose: 'c2s-client', jid: `juliet@${DOMAIN}` } as const;
    expect(security.verify(question).verified).toBe(good);
    expect(provenAddresses(security, DOMAIN)).toHaveLength(good ? 1 : 0);
  });

  test('[CERT-20] a client without a certificate, or with one that proves nothing, is let in and has proved nothing', async () => {
    const listener = await asking();
    for (const certificate of [null, { ...JULIET, signer: 'self' }] as const) {
      const { security } = await accepted(listener, certificate);
      expect(security.verdict).toBeNull();
      expect(provenAddresses(security, DOMAIN)).toEqual([]);
      const verdict = judgeClientExternal(security, { domain: DOMAIN, response: '=' });
      expect(verdict).toMatchObject({ granted: false, condition: 'not-authorized' });
    }
  });

  test('[CERT-20] none, which is the default: nobody is asked', async () => {
    const { security } = await accepted(await listen(), JULIET);
    expect(security.peerCertificates).toEqual([]);
    expect(provenAddresses(security, DOMAIN)).toEqual([]);
  });

  test.each([
    ['none', 'requested', 2],
    ['none', 'none', 0],
  ] as const)(
    '[CERT-20] a listener for both, s2s %s and c2s %s: certificates of a client',
    async (s2sClientCertificate, c2sClientCertificate, count) => {
      const listener = await listen(['s2s', 'c2s'], { options: { s2sClientCertificate, c2sClientCertificate } });
      const { security, kind } = await accepted(listener, JULIET);
      expect(kind).toBe('c2s');
      expect(security.peerCertificates).toHaveLength(count);
    },
  );

  test('[CERT-20] our own client is not disturbed by being asked', async () => {
    const { transport } = await createTransport({ upgrade, domains: [] });
    const listener = await asking();
    const connection = await transport.connect(targetOf(listener.address));
    expect(connection.security.verdict).toMatchObject({ verified: true });
    connection.abort();
  });
});
