import { type Delegation, StreamPool } from '@stanzaport/core';
import { expect, test } from 'vitest';
import { createQuicTransport, DOMAIN, targetOf, testCa } from './tools/quic-pair.ts';

const BY_NAME: Delegation = { form: 'name', name: 'hoster.example', validUntilMs: Number.MAX_SAFE_INTEGER };

test('[CERT-16] a domain that has delegated to its hoster is proved by the hoster, and only where it said so', async () => {
  const ca = await testCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: ['hoster.example'] });
  const server = await createQuicTransport({
    domains: [],
    credentials: [{ domain: DOMAIN, cert: chainPem, key: keyPem }],
  });
  const listener = await server.listen({ host: '127.0.0.1', port: 0 });
  const client = await createQuicTransport({ domains: [] });
  const target = targetOf(listener.address);
  await expect(client.connect(target)).rejects.toMatchObject({ category: 'certificate', domain: DOMAIN });
  const expired = { ...BY_NAME, validUntilMs: Date.now() - 1 };
  await expect(client.connect({ ...target, delegations: [expired] })).rejects.toMatchObject({
    category: 'certificate',
  });

  const connection = await client.connect({ ...target, delegations: [BY_NAME] });
  expect(connection.security.verdict).toMatchObject({
    verified: true,
    domain: DOMAIN,
    matched: 'delegated:dns:hoster.example',
  });
  connection.abort();

  await using pool = new StreamPool(client);
  const first = await pool.openStream({ ...target, delegations: [BY_NAME] });
  const second = await pool.openStream({ ...target, delegations: [BY_NAME] });
  expect(second.connection).toBe(first.connection);
  // What one caller knows of the domain is not what another does.
  await expect(pool.openStream(target)).rejects.toMatchObject({ category: 'certificate' });
  first.connection.abort();
  await listener.close({ drainMs: 0 });
});
