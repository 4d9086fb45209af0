import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TransportHub } from '@stanzaport/core';
import { describe, expect, test } from 'vitest';
import { server } from './samples/server.ts';
import { createTransport, DOMAIN, issue, OTHER_DOMAIN, targetOf } from './tools/transports.ts';

function read(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8');
}

describe('README.md', () => {
  test('shows the very sample that runs here, and no other', () => {
    const blocks = [...read('../README.md').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text);
    expect(blocks).toEqual([read('./samples/server.ts')]);
  });

  test('[TC-15] its hub serves clients and servers, over Direct TLS and STARTTLS', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tls-readme-'));
    const { cert, key } = await issue(DOMAIN);
    await writeFile(join(folder, 'capulet.crt'), cert);
    await writeFile(join(folder, 'capulet.key'), key);
    const anyPort = { c2s: 0, s2s: 0 };
    const container = server(folder, { host: '127.0.0.1', ports: { 'direct-tls': anyPort, starttls: anyPort } });
    const hub = container.get(TransportHub);
    await hub.start();
    const served: string[] = [];
    for (const { transport, address } of hub.listeners) {
      const upgrade = transport === 'starttls' ? 'starttls' : 'direct-tls';
      const { transport: client } = await createTransport({ upgrade, domains: [OTHER_DOMAIN] });
      for (const kind of ['c2s', 's2s'] as const) {
        const target = { ...targetOf(address, kind), ...(kind === 's2s' ? { localDomain: OTHER_DOMAIN } : {}) };
        const connecting = client.connect(target);
        const connection = await connecting.catch(() => null);
        if (connection === null) continue;
        served.push(`${transport} ${connection.kind}`);
        connection.abort();
      }
    }
    expect(served.sort()).toEqual(['direct-tls c2s', 'direct-tls s2s', 'starttls c2s', 'starttls s2s']);
    await hub.stop();
    await container.unbindAllAsync();
    await rm(folder, { recursive: true });
  });
});
