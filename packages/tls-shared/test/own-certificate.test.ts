import { createTestCa } from '@stanzaport/testing';
import { describe, expect, test } from 'vitest';
import { ownCertificateProves, provesLocalDomain } from '../src/index.ts';

const ca = await createTestCa();
const DAY_MS = 86_400_000;

describe('what a certificate of our own proves', () => {
  test('[Q-19] the domains it names, by the rules peers are judged by', async () => {
    const { chainDer } = await ca.issue({
      dnsNames: ['a.example', '*.b.example'],
      srvNames: ['_xmpp-server.c.example', '_xmpp-client.d.example'],
      xmppAddrs: ['e.example'],
      commonName: 'f.example',
    });
    const proves = (domain: string, purpose: 's2s-client' | 'c2s-server' = 's2s-client'): boolean =>
      ownCertificateProves(chainDer, { domain, purpose });
    expect(['a.example', 'A.example', 'x.b.example', 'c.example', 'e.example'].every((domain) => proves(domain))).toBe(
      true,
    );
    for (const domain of ['b.example', 'x.a.example', 'd.example', 'f.example', 'no domain', '']) {
      expect(proves(domain), domain).toBe(false);
    }
    expect(proves('d.example', 'c2s-server')).toBe(true);
    expect(proves('c.example', 'c2s-server')).toBe(false);
  });

  test('[CERT-24] nothing before its time and after it', async () => {
    const { chainDer } = await ca.issue({ dnsNames: ['a.example'] });
    const question = { domain: 'a.example', purpose: 's2s-client' } as const;
    expect(ownCertificateProves(chainDer, question)).toBe(true);
    expect(ownCertificateProves(chainDer, question, Date.now() - DAY_MS)).toBe(false);
    expect(ownCertificateProves(chainDer, question, Date.now() + 31 * DAY_MS)).toBe(false);
  });

  test('[CERT-01] nothing where there is none, or none that can be read', async () => {
    const question = { domain: 'a.example', purpose: 's2s-client' } as const;
    expect(ownCertificateProves([], question)).toBe(false);
    expect(ownCertificateProves([new Uint8Array([0x30, 0x80, 1])], question)).toBe(false);
    const { chainDer } = await ca.issue({ dnsNames: ['a.example'] });
    const security = { localCertificates: chainDer };
    expect(provesLocalDomain({ security }, 'a.example')).toBe(true);
    expect(provesLocalDomain({ security }, 'b.example')).toBe(false);
  });
});
