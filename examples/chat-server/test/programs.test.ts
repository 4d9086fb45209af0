import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestCa } from '@stanzaport/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChatClient } from '../src/client/chat-client.ts';
import { clientHub } from '../src/client-program.ts';
import { clientTransports } from '../src/transports.ts';
import { Program } from './program.ts';

/** As the ready config files have them. */
interface Host {
  readonly domain: string;
  readonly cert: string;
  readonly key: string;
}

interface Listener {
  readonly transport: string;
  readonly kinds: readonly string[];
}

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chat-server-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('[Q-17] the demonstration plays over real UDP, and ends with 0', async () => {
  await using demo = new Program('demo.js', ['--once']);
  expect(await demo.line(/^[✔✘]/)).toMatch(
    /^✔ 18 of 18 expected stanzas arrived, over 3 streams of 2 quic connections/,
  );
  expect(demo.seen[1]).toMatch(/^quic +127\.0\.0\.1:\d+ +capulet\.example, montague\.example$/);
  const migration =
    /the connection migrated 127\.0\.0\.1:(\d+) → 127\.0\.0\.\d:(\d+) meanwhile: longest gap \d+\.\d ms/;
  const [, from, to] = migration.exec(demo.seen.join('\n')) ?? [];
  expect([from, to]).not.toContain(undefined);
  expect(from).not.toBe(to);
  expect(await demo.exit).toBe(0);
});

test('the demonstration stays up until Ctrl-C, and then leaves nothing behind', async () => {
  await using demo = new Program('demo.js', []);
  expect(await demo.line(/Ctrl-C/)).not.toBeNull();
  demo.signal('SIGINT');
  demo.signal('SIGINT');
  expect(await demo.exit).toBe(0);
});

test.each(['quic', 'tcp', 'all'])(
  '[TC-15] the server program with %s.json lets an account in wherever clients may connect, and says goodbye',
  async (name) => {
    const ca = await createTestCa();
    const ready = JSON.parse(readFileSync(new URL(`../config/${name}.json`, import.meta.url), 'utf8'));
    const { chainPem, keyPem } = await ca.issue({ dnsNames: ready.hosts.map(({ domain }: Host) => domain) });
    mkdirSync(join(folder, 'certs'));
    for (const { cert, key } of ready.hosts as Host[]) {
      writeFileSync(join(folder, cert), chainPem);
      writeFileSync(join(folder, key), keyPem);
    }
    // Ports that are free, on an address that every machine has; all else is as it stands there.
    const listen = (ready.listen as Listener[]).map((listener) => ({ ...listener, host: '127.0.0.1', port: 0 }));
    const path = join(folder, `${name}.json`);
    writeFileSync(path, JSON.stringify({ ...ready, listen }));
    await using server = new Program('main.js', [path], { CHAT_ACCOUNTS: 'juliet@capulet.example:wherefore' });
    const clients: ChatClient[] = [];
    const hub = clientHub(clientTransports(ca.rootPem));
    for (const { transport, kinds } of listen) {
      const { port, transport: started } = JSON.parse((await server.line(/"listening"/)) ?? '{}');
      expect(started).toBe(transport);
      if (!kinds.includes('c2s')) continue;
      const target = { kind: 'c2s', domain: 'capulet.example', host: '127.0.0.1', port } as const;
      const connection = await hub.transport(transport).connect(target);
      const options = { username: 'juliet', domain: 'capulet.example', password: 'wherefore' };
      clients.push(await ChatClient.login(connection, options));
    }
    expect(clients).toHaveLength({ quic: 1, tcp: 2, all: 3 }[name] ?? 0);
    for (const client of clients) await client.ping();
    server.signal('SIGTERM');
    for (const client of clients) {
      expect((await client.closed).error).toMatchObject({ condition: 'system-shutdown', from: 'peer' });
    }
    expect(await server.exit).toBe(0);
  },
);

test.each([
  ['no config file', [], 2, /^usage: main\.js <config file/],
  ['one that is not there', ['/nowhere/chat.json'], 1, /^\/nowhere\/chat\.json: the file is missing/],
])('the server program with %s tells what to do in one line', async (_title, args, code, complaint) => {
  await using server = new Program('main.js', args);
  expect(await server.exit).toBe(code);
  expect(server.complaint).toMatch(complaint);
  expect(server.complaint.trimEnd().split('\n')).toHaveLength(1);
});
