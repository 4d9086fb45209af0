import 'reflect-metadata';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Connection, coreModule, TransportHub } from '@stanzaport/core';
import { quicTransportModule } from '@stanzaport/quic-transport';
import { createTestCa } from '@stanzaport/testing';
import { tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { afterEach, beforeEach, expect, test } from 'vitest';

const source = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
const program = fileURLToPath(new URL('../dist/first-server.js', import.meta.url));

let folder: string;
let child: ChildProcess | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'first-server-'));
});
afterEach(async () => {
  if (child !== null && child.exitCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the built program as a user does, with its certificate beside it; answers the port it prints. */
async function start(cert: string, key: string): Promise<number> {
  writeFileSync(join(folder, 'capulet.crt'), cert);
  writeFileSync(join(folder, 'capulet.key'), key);
  const started = spawn(process.execPath, [program], {
    cwd: folder,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = started;
  for await (const line of createInterface({ input: started.stdout })) {
    const port = /^quic listens on port (\d+)$/.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error('the server ended without listening');
}

async function connect(port: number, trust: string): Promise<Connection> {
  const container = new Container();
  container.load(coreModule(), tlsModule({ trust: [trust] }), quicTransportModule());
  const quic = container.get(TransportHub).transport('quic');
  return quic.connect({ kind: 'c2s', domain: 'capulet.example', host: '::1', port });
}

test('the README shows this very program', () => {
  const blocks = [...source('README.md').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text);
  expect(blocks).toContain(source('examples/first-server/src/first-server.ts'));
});

test('it lets a client in over QUIC and sends its message back', async () => {
  const ca = await createTestCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: ['capulet.example'] });
  await using connection = await connect(await start(chainPem, keyPem), ca.rootPem);
  await using stream = await connection.openStream();
  stream.sendHeader({ to: 'capulet.example' });
  const seen: string[] = [];
  for await (const { name, element } of stream) {
    seen.push(name);
    if (element.getChild('mechanisms') !== undefined) {
      stream.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
    } else if (name === 'success') {
      stream.restart();
      stream.sendHeader({ to: 'capulet.example' });
    } else if (element.getChild('bind') !== undefined && name === 'features') {
      stream.send("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    } else if (name === 'iq') {
      expect(element.getChild('bind')?.getChildText('jid')).toMatch(/^[\w-]{36}@capulet\.example\/home$/);
      stream.send("<message type='chat' to='echo@capulet.example'><body>Anon, good nurse!</body></message>");
    } else {
      expect(element.getChildText('body')).toBe('Anon, good nurse!');
      expect(element.attrs.from).toBe('echo@capulet.example');
      break;
    }
  }
  expect(seen).toEqual(['features', 'success', 'features', 'iq', 'message']);
});
