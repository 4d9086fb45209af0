import { createTestCa } from '@stanzaport/testing';
import { presentedIdentities } from '@stanzaport/tls-shared';
import { expect, test } from 'vitest';

const ca = await createTestCa();

test('[CERT-05] what a certificate claims is listed in its order, normalised, without what is no identity', async () => {
  const { chainDer } = await ca.issue({
    commonName: 'c.example',
    dnsNames: ['A.example', '*.b.example', 'x*.b.example', 'a.example\0', '192.0.2.1'],
    srvNames: ['_XMPP-server.a.example', 'no service'],
    xmppAddrs: ['bücher.example', 'Juliet@A.example/Balcony', '*.a.example'],
    ipAddresses: ['192.0.2.1'],
    emailAddress: 'u@a.example',
  });
  expect(presentedIdentities(chainDer)).toEqual([
    { form: 'dns', domain: 'a.example' },
    { form: 'dns', domain: '*.b.example' },
    { form: 'srv', service: '_xmpp-server', domain: 'a.example' },
    { form: 'xmpp', jid: 'xn--bcher-kva.example' },
    { form: 'xmpp', jid: 'juliet@a.example/Balcony' },
  ]);
});

test('[CERT-08] nothing is claimed by no chain, and by one that cannot be read', async () => {
  const { chainDer } = await ca.issue({ commonName: 'a.example' });
  for (const chain of [[], chainDer, [Uint8Array.of(0x30, 1)], [chainDer[0]?.subarray(0, -1) ?? new Uint8Array()]]) {
    expect(presentedIdentities(chain)).toEqual([]);
  }
});
