import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createTestCa } from '@stanzaport/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChatClient } from '../src/client/chat-client.ts';
import { clientHub } from '../src/client-program.ts';
import { clientTransports } from '../src/transports.ts';

/** The built programs, run as a user runs them. */
class Program {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly seen: string[] = [];
  readonly exit: Promise<number | null>;

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const path = fileURLToPath(new URL(`../dist/${file}`, import.meta.url));
    const child = spawn(process.execPath, [path, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.exit = once(child, 'exit').then(([code]) => code);
  }

  /** Reads on to the first line that matches, or to the end. */
  async line(pattern: RegExp): Promise<string | null> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) return null;
      this.seen.push(value);
      if (pattern.test(value)) return value;
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.exit;
  }
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

test('[TC-15] the server program lets an account in, and tells it system-shutdown at the end', async () => {
  const ca = await createTestCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: ['capulet.example'] });
  writeFileSync(join(folder, 'capulet.example.crt'), chainPem);
  writeFileSync(join(folder, 'capulet.example.key'), keyPem);
  await using server = new Program('main.js', [folder, '0'], { CHAT_ACCOUNTS: 'juliet@capulet.example:wherefore' });
  const { port } = JSON.parse((await server.line(/"listening"/)) ?? '{}');

  const quic = clientHub(clientTransports(ca.rootPem)).transport('quic');
  await using connection = await quic.connect({ kind: 'c2s', domain: 'capulet.example', host: '::1', port });
  const juliet = await ChatClient.login(connection, {
    username: 'juliet',
    domain: 'capulet.example',
    password: 'wherefore',
  });
  await juliet.ping();
  server.signal('SIGTERM');
  expect((await juliet.closed).error).toMatchObject({ condition: 'system-shutdown', from: 'peer' });
  expect(await server.exit).toBe(0);
});
