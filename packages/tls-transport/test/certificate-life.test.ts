import type { Delegation, StanzaStream } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { collectTexts } from './tools/stream-texts.ts';
import { createTransport, DOMAIN, OTHER_DOMAIN, targetOf, testCa } from './tools/transports.ts';

const BY_NAME: Delegation = { form: 'name', name: 'hoster.example', validUntilMs: Number.MAX_SAFE_INTEGER };

/** Takes the stream's next event, its header. */
async function takeHeader(stream: StanzaStream): Promise<void> {
  for await (const { type } of stream.events()) {
    expect(type).toBe('header');
    return;
  }
}

describe.each(['direct-tls', 'starttls'] as const)('%s', (upgrade) => {
  test.each([
    ['receiving', DOMAIN],
    ['initiating', OTHER_DOMAIN],
  ])(
    '[CERT-15] an s2s stream ends with reset when the certificate of the %s entity expires',
    async (_who, expiring) => {
      const ca = await testCa();
      const notAfter = new Date(Date.now() + 2_500);
      const wire = async (domain: string) => {
        const { chainPem: cert, keyPem: key } = await ca.issue({
          dnsNames: [domain],
          ...(domain === expiring ? { notAfter } : {}),
        });
        return (await createTransport({ upgrade, domains: [], credentials: [{ cert, key }] })).transport;
      };
      await using listener = await (await wire(DOMAIN)).listen({ host: '127.0.0.1', port: 0, kinds: ['s2s'] });
      const accepted = firstValueFrom(listener.connections$);
      const target = { ...targetOf(listener.address, 's2s'), localDomain: OTHER_DOMAIN };
      const client = await (await wire(OTHER_DOMAIN)).connect(target);
      const server = await accepted;
      const initiating = await client.openStream();
      initiating.sendHeader({ from: OTHER_DOMAIN, to: DOMAIN });
      const receiving = await firstValueFrom(server.streams$);
      await takeHeader(receiving);
      receiving.sendHeader();
      expect(server.security.verify({ domain: OTHER_DOMAIN, purpose: 's2s-client' }).verified).toBe(true);
      receiving.markAuthenticated();
      const ends = [initiating, receiving].map((stream) => collectTexts(stream).ended);
      expect(await Promise.all(ends)).toEqual(['reset', 'reset']);
    },
  );

  test('[CERT-16] a domain that has delegated to its hoster is proved by the hoster, and only where it said so', async () => {
    const { chainPem: cert, keyPem: key } = await (await testCa()).issue({ dnsNames: ['hoster.example'] });
    const { transport: server } = await createTransport({
      upgrade,
      domains: [],
      credentials: [{ domain: DOMAIN, cert, key }],
    });
    await using listener = await server.listen({ host: '127.0.0.1', port: 0 });
    const { transport } = await createTransport({ upgrade, domains: [] });
    const target = targetOf(listener.address);
    await expect(transport.connect(target)).rejects.toMatchObject({ category: 'certificate', domain: DOMAIN });
    const connection = await transport.connect({ ...target, delegations: [BY_NAME] });
    expect(connection.security.verdict).toMatchObject({ verified: true, matched: 'delegated:dns:hoster.example' });
    connection.abort();
  });
});
