import { firstValueFrom } from 'rxjs';
import { expect, test } from 'vitest';
import { collect, createQuicTransport, DOMAIN, headerOf, targetOf, testCa } from './tools/quic-pair.ts';

const LIFETIME_MS = 2_500;

test.each([
  ['the receiving entity', true],
  ['the initiating entity', false],
])(
  '[CERT-15] s2s streams end with reset when the certificate of %s expires',
  async (_who, isServers) => {
    const ca = await testCa();
    const notAfter = new Date(Date.now() + LIFETIME_MS);
    const short = await ca.issue({ dnsNames: [isServers ? DOMAIN : 'a.example'], notAfter });
    const long = await ca.issue({ dnsNames: [isServers ? 'a.example' : DOMAIN] });
    const credentialOf = (forServer: boolean) => {
      const { chainPem, keyPem } = forServer === isServers ? short : long;
      return [{ cert: chainPem, key: keyPem }];
    };
    const server = await createQuicTransport({ domains: [], credentials: credentialOf(true) });
    const client = await createQuicTransport({ domains: [], credentials: credentialOf(false) });
    const listener = await server.listen({ host: '127.0.0.1', port: 0, kinds: ['s2s'] });
    const accepted = firstValueFrom(listener.connections$);
    const connection = await client.connect({ ...targetOf(listener.address, 's2s'), localDomain: 'a.example' });
    const serverConnection = await accepted;
    const arrived = firstValueFrom(serverConnection.streams$);
    const initiating = await connection.openStream();
    initiating.sendHeader({ from: 'a.example', to: DOMAIN });
    const receiving = await arrived;
    await headerOf(receiving);
    receiving.sendHeader();
    expect(serverConnection.security.verify({ domain: 'a.example', purpose: 's2s-client' }).verified).toBe(true);
    receiving.markAuthenticated();
    const ends = [collect(initiating).ended, collect(receiving).ended];
    expect(await Promise.all(ends)).toEqual(['reset', 'reset']);
    expect(Date.now()).toBeGreaterThanOrEqual(notAfter.getTime() - 1_000);
    connection.abort();
    await listener.close({ drainMs: 0 });
  },
  30_000,
);

test('[CERT-15] c2s streams go on', async () => {
  const ca = await testCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: [DOMAIN], notAfter: new Date(Date.now() + 2_000) });
  const server = await createQuicTransport({ domains: [], credentials: [{ cert: chainPem, key: keyPem }] });
  const listener = await server.listen({ host: '127.0.0.1', port: 0 });
  const accepted = firstValueFrom(listener.connections$);
  const connection = await (await createQuicTransport({ domains: [] })).connect(targetOf(listener.address));
  const arrived = firstValueFrom((await accepted).streams$);
  const initiating = await connection.openStream();
  initiating.sendHeader({ to: DOMAIN });
  const receiving = await arrived;
  await headerOf(receiving);
  receiving.sendHeader();
  receiving.markAuthenticated();
  const { stanzas } = collect(receiving);
  const { verdict } = connection.security;
  const expiresAtMs = verdict?.verified === true ? verdict.expiresAtMs : Number.NaN;
  await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(expiresAtMs);
  initiating.send('<message/>');
  await expect.poll(() => stanzas.length).toBe(1);
  connection.abort();
  await listener.close({ drainMs: 0 });
});
