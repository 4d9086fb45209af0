import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coreModule, type StanzaStream, type StreamPool } from '@stanzaport/core';
import { type CredentialReload, tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { QUIC_STREAM_POOL, QuicLbDecoder, QuicTransport, quicTransportModule } from '../src/index.ts';
import { lookAt } from './engine/native-view.ts';
import { certificates, reloadOnHangUp } from './samples/certificates.ts';
import { serve } from './samples/early-data.ts';
import { quicInFleet } from './samples/fleet.ts';
import { goOver, watchPath } from './samples/migration.ts';
import { federate } from './samples/pool.ts';
import { collect, connectPair, createQuicTransport, DOMAIN, targetOf, testCa } from './tools/quic-pair.ts';

const SAMPLES = ['migration', 'pool', 'certificates', 'early-data', 'fleet'];
const FEATURES = '<stream:features/>';

function read(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8');
}

/** Resolves with the name of the stream's next element. */
async function nextName(stream: StanzaStream): Promise<string | undefined> {
  for await (const { name } of stream) return name;
  return undefined;
}

describe('docs/quic.md', () => {
  test('shows the very samples that run here, and no others', () => {
    const blocks = [...read('../../../docs/quic.md').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text);
    expect(blocks).toEqual(SAMPLES.map((name) => read(`./samples/${name}.ts`)));
  });

  test('[Q-13] migration', async () => {
    await using pair = await connectPair();
    const routes: string[] = [];
    watchPath(pair.client, (route) => routes.push(route));
    const path = await goOver(pair.client, '127.0.0.2');
    expect(path?.local.address).toBe('127.0.0.2');
    expect(routes).toHaveLength(2);
    expect(routes[1]).toMatch(/^127\.0\.0\.2 port \d+ → 127\.0\.0\.1 port \d+$/);
  });

  test('[Q-19] the pool', async () => {
    const listener = await (await createQuicTransport()).listen({ host: '127.0.0.1', port: 0, kinds: ['s2s'] });
    const ca = await testCa();
    const { chainPem, keyPem } = await ca.issue({ dnsNames: ['a.example', 'b.example'] });
    const container = new Container();
    container.load(
      coreModule(),
      tlsModule({ credentials: [{ cert: chainPem, key: keyPem }], trust: [ca.rootPem] }),
      quicTransportModule(),
    );
    const accepted = firstValueFrom(listener.connections$);
    const there = { to: DOMAIN, host: '127.0.0.1', port: listener.address.port };
    const first = await federate(container, { from: 'a.example', ...there });
    const second = await federate(container, { from: 'b.example', ...there });
    expect(second.connection).toBe(first.connection);
    expect(second.urgency).toBe(2);
    const stream = await firstValueFrom((await accepted).streams$);
    for await (const { type } of stream.events()) {
      expect(type).toBe('header');
      expect(['a.example', 'b.example']).toContain(stream.header?.from);
      break;
    }
    first.connection.abort();
    await container.get<StreamPool>(QUIC_STREAM_POOL).close();
    await listener.close({ drainMs: 0 });
  });

  test('[CERT-24] certificates', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'quic-page-'));
    const ca = await testCa();
    const renew = async (name: string, dnsName: string): Promise<void> => {
      const { chainPem, keyPem } = await ca.issue({ dnsNames: [dnsName] });
      await writeFile(join(folder, `${name}.crt`), chainPem);
      await writeFile(join(folder, `${name}.key`), keyPem);
    };
    await Promise.all([renew('capulet', 'capulet.example'), renew('montague', '*.montague.example')]);
    const container = new Container();
    container.load(coreModule(), certificates(folder), quicTransportModule());
    const listener = await container.get(QuicTransport).listen({ host: '127.0.0.1', port: 0 });
    const client = await createQuicTransport({ domains: [] });
    const serialOf = async (domain: string): Promise<string> => {
      const connection = await client.connect(targetOf(listener.address, 'c2s', domain));
      const [certificate] = connection.security.peerCertificates;
      connection.abort();
      return Buffer.from(certificate ?? []).toString('hex');
    };
    const before = await serialOf('capulet.example');
    expect(await serialOf('verona.montague.example')).not.toBe(before);
    const reloads: CredentialReload[] = [];
    const stop = reloadOnHangUp(container, (reload) => reloads.push(reload));
    await renew('capulet', 'capulet.example');
    process.emit('SIGHUP');
    expect(reloads.map(({ type }) => type)).toEqual(['replaced']);
    expect(await serialOf('capulet.example')).not.toBe(before);
    stop();
    await listener.close({ drainMs: 0 });
    await container.unbindAllAsync();
    await rm(folder, { recursive: true });
  });

  test('[QT-16] early data', async () => {
    const options = { earlyData: true };
    const server = await createQuicTransport({ options });
    const listener = await server.listen({ host: '127.0.0.1', port: 0 });
    const served: boolean[] = [];
    listener.connections$.subscribe(({ streams$ }) =>
      streams$.subscribe({
        next: (stream) =>
          void serve(stream, FEATURES, ({ early }) => {
            served.push(early);
            collect(stream);
          }),
        error: () => undefined,
      }),
    );
    const client = await createQuicTransport({ domains: [], options });
    for (const earlyData of ['none', 'accepted'] as const) {
      const connection = await client.connect(targetOf(listener.address));
      const stream = await connection.openStream();
      stream.sendHeader({ to: DOMAIN });
      expect(await nextName(stream)).toBe('features');
      expect(await connection.handshakeCompleted).toBe(true);
      expect(connection.security.earlyData).toBe(earlyData);
      await expect.poll(() => served.length).toBe(earlyData === 'none' ? 1 : 2);
      await connection.close();
    }
    expect(served).toEqual([false, true]);
    await listener.close({ drainMs: 0 });
  });

  test('[QT-20] one server of a fleet', async () => {
    const serverId = Buffer.from('verona-1');
    const balancerKey = Buffer.alloc(16, 7);
    const ca = await testCa();
    const { chainPem, keyPem } = await ca.issue({ dnsNames: [DOMAIN] });
    const container = new Container();
    container.load(
      coreModule(),
      tlsModule({ credentials: [{ cert: chainPem, key: keyPem }] }),
      quicInFleet({ staticKey: Buffer.alloc(32, 1), ticketKeys: [Buffer.alloc(48, 2)], balancerKey, serverId }),
    );
    // The sample's own listener is on port 443, which a test cannot have.
    const listener = await container.get(QuicTransport).listen({ host: '127.0.0.1', port: 0 });
    const { serverConnectionId } = await lookAt(listener.address.port, DOMAIN, ({ established }) => established);
    const decoder = new QuicLbDecoder([{ configId: 0, serverIdBytes: 8, nonceBytes: 8, key: balancerKey }]);
    expect(Buffer.from(decoder.serverIdOf(serverConnectionId) ?? []).toString()).toBe('verona-1');
    await listener.close({ drainMs: 0 });
  });
});
