import { createSecureContext, TLSSocket } from 'node:tls';
import type { Connection, IdentityQuestion, TransportError } from '@stanzaport/core';
import { type CertificateVector, certificateVectors } from '@stanzaport/testing';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { proceed, startTls } from './tools/clear-text.ts';
import { connectRaw, secureRaw } from './tools/raw-tls.ts';
import { serve } from './tools/scripted-server.ts';
import { createTransport, DOMAIN, testCa } from './tools/transports.ts';

const UPGRADES = ['direct-tls', 'starttls'] as const;
const ca = await testCa();
const vectors = (await certificateVectors(ca)).filter(({ servable }) => servable);

/** So that the stack presents what no stack should. */
const ANYTHING = { ciphers: 'DEFAULT@SECLEVEL=0' } as const;

describe.each(UPGRADES)('certificate vectors over %s', async (upgrade) => {
  const { transport: client } = await createTransport({ upgrade, domains: [] });

  for (const vector of vectors) {
    const { requirement, name, question, expected } = vector;
    test(`[Q-23] [${requirement}] ${question.purpose}, ${name}: ${expected}`, async () => {
      const reason =
        question.purpose === 's2s-client'
          ? await reasonAtServer(vector, question)
          : await reasonAtClient(vector, question);
      expect(reason).toBe(expected);
    });
  }

  /** A foreign server presents the chain, and the transport judges it while it connects. */
  async function reasonAtClient({ credential }: CertificateVector, { domain, purpose }: IdentityQuestion) {
    const secureContext = createSecureContext({ cert: credential.chainPem, key: credential.keyPem, ...ANYTHING });
    await using server = await serve(async (tcp) => {
      if (upgrade === 'starttls') await proceed(tcp);
      new TLSSocket(tcp, { isServer: true, secureContext }).on('error', () => undefined).resume();
    });
    const kind = purpose === 'c2s-server' ? 'c2s' : 's2s';
    const connecting = client.connect({ kind, domain, host: '127.0.0.1', port: server.port });
    return await connecting.then(good, (error: TransportError & { reason?: string }) => error.reason ?? error.message);
  }

  /** A foreign client presents the chain, and the question is put when its header would have come. */
  async function reasonAtServer({ credential }: CertificateVector, question: IdentityQuestion) {
    const { transport } = await createTransport({ upgrade });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0, kinds: ['s2s'] });
    const accepted = firstValueFrom(listener.connections$);
    const tcp = await connectRaw(listener.address.port);
    if (upgrade === 'starttls') await startTls(tcp, 's2s');
    const { chainPem: cert, keyPem: key } = credential;
    await secureRaw(tcp, { servername: DOMAIN, cert, key, ...ANYTHING });
    const connection = await accepted;
    const verdict = connection.security.verify(question);
    connection.abort();
    return verdict.verified ? 'good' : verdict.reason;
  }
});

function good(connection: Connection): string {
  connection.abort();
  return 'good';
}
