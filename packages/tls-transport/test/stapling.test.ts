import type { Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { Connection, TransportError } from '@stanzaport/core';
import { createCrl, createOcspResponse } from '@stanzaport/testing';
import type { CertificatePolicyOptions } from '@stanzaport/tls-shared';
import { describe, expect, test } from 'vitest';
import { proceed } from './tools/clear-text.ts';
import { serve } from './tools/scripted-server.ts';
import { createTransport, DOMAIN, testCa } from './tools/transports.ts';

const ca = await testCa();
const leaf = await ca.issue({ dnsNames: [DOMAIN] });
/** What is not stapled, of the CA between, is known from its list. */
const REQUIRE = { revocation: 'require', crls: [createCrl(ca.root)] } as const;

describe.each(['direct-tls', 'starttls'] as const)('a server of %s that staples', (upgrade) => {
  /** Connects to a server that staples this; what came of it. */
  async function verdictOn(stapled: Uint8Array | null, policy: Omit<CertificatePolicyOptions, 'trust'>) {
    const tls = createServer({ cert: leaf.chainPem, key: leaf.keyPem }, (socket) => socket.resume());
    tls.on('tlsClientError', () => undefined);
    tls.on('OCSPRequest', (_certificate, _issuer, answer) => answer(null, stapled && Buffer.from(stapled)));
    await using server = await serve(async (tcp: Socket) => {
      if (upgrade === 'starttls') await proceed(tcp);
      tls.emit('connection', tcp);
    });
    const { transport } = await createTransport({ upgrade, domains: [], policy });
    const target = { kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port: server.port } as const;
    const good = (connection: Connection): string => {
      connection.abort();
      return 'good';
    };
    return await transport.connect(target).then(good, (error: TransportError) => error);
  }

  const says = (status: 'good' | 'revoked'): Uint8Array => createOcspResponse(ca.intermediate, leaf, { status });

  test('[CERT-14] revoked: it is refused, whatever the mode', async () => {
    const refused = { category: 'certificate', reason: 'revoked', alert: 44, domain: DOMAIN };
    expect(await verdictOn(says('revoked'), {})).toMatchObject(refused);
    expect(await verdictOn(says('revoked'), REQUIRE)).toMatchObject(refused);
  });

  test('[CERT-14] good: that is known, where it has to be', async () => {
    expect(await verdictOn(says('good'), REQUIRE)).toBe('good');
  });

  test('[CERT-14] nothing, or what says nothing: good, unless it has to be known', async () => {
    for (const stapled of [null, Buffer.from('rubbish')]) {
      expect(await verdictOn(stapled, {})).toBe('good');
      expect(await verdictOn(stapled, REQUIRE)).toMatchObject({ reason: 'revocation-unknown', alert: 46 });
    }
  });
});
