import cluster from 'node:cluster';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { coreModule } from '@stanzaport/core';
import { tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { expect, test } from 'vitest';
import { hasReusePort } from '../src/endpoint/port-sharing.ts';
import { QuicTransport } from '../src/index.ts';
import { startWorkers } from './samples/start-workers.ts';
import { quicOfWorker } from './samples/worker.ts';
import { DOMAIN, testCa } from './tools/quic-pair.ts';

const read = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8');

test('docs/many-cores.md shows the very samples that run here, and no others', () => {
  const blocks = [...read('../../../docs/many-cores.md').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text);
  expect(blocks).toEqual(['worker', 'start-workers'].map((name) => read(`./samples/${name}.ts`)));
});

test('[QT-20] the primary starts a worker for each number, and one anew that dies', async () => {
  const program = fileURLToPath(new URL('tools/cluster-echo.mjs', import.meta.url));
  const said: string[] = [];
  const listen = (_: unknown, message: string): unknown => said.push(message);
  cluster.on('message', listen);
  const stop = startWorkers(program, '/nowhere', 2);
  await expect.poll(() => said.toSorted()).toEqual(['0 /nowhere', '1 /nowhere']);
  const [worker] = Object.values(cluster.workers ?? {});
  worker?.process.kill('SIGKILL');
  await expect.poll(() => said.length, { timeout: 10_000 }).toBe(3);
  stop();
  await expect.poll(() => Object.keys(cluster.workers ?? {}).length, { timeout: 10_000 }).toBe(0);
  cluster.off('message', listen);
});

test('[QT-20] a worker listens, where its Node.js can share a port', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'workers-'));
  const probe = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  process.env.WORKER_NUMBER = '0';
  process.env.WORKER_FOLDER = folder;
  const { chainPem, keyPem } = await (await testCa()).issue({ dnsNames: [DOMAIN] });
  const container = new Container();
  const where = { host: '127.0.0.1', port };
  container.load(coreModule(), tlsModule({ credentials: [{ cert: chainPem, key: keyPem }] }), quicOfWorker([where]));
  if (hasReusePort()) {
    await using listener = await container.get(QuicTransport).listen(where);
    expect(listener.address.port).toBe(port);
  } else {
    expect(() => container.get(QuicTransport)).toThrow('start the workers by node:cluster');
  }
  await rm(folder, { recursive: true });
});
