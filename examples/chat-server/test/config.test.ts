import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config } from '../src/config/config.ts';
import { ConfigError } from '../src/config/config-error.ts';
import { readConfig } from '../src/config/config-file.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chat-config-'));
  mkdirSync(join(folder, 'certs'));
  for (const name of ['a.crt', 'a.key', 'ca.crt']) writeFileSync(join(folder, 'certs', name), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const HOST = { domain: 'a.example', cert: 'certs/a.crt', key: 'certs/a.key' };
const QUIC = { transport: 'quic', port: 443 };
const GOOD = { hosts: [HOST], listen: [QUIC] };

function read(text: string): Config {
  const path = join(folder, 'chat.json');
  writeFileSync(path, text);
  return readConfig(path);
}

function messageOf(text: string): string {
  try {
    read(text);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ConfigError);
    return String((thrown as ConfigError).message).replaceAll(folder, '…');
  }
  return 'no error';
}

test('the least there can be: a host and a listener, for clients on all addresses', () => {
  const config = read(JSON.stringify(GOOD));
  expect(config).toEqual({
    domains: ['a.example'],
    credentials: [{ domain: 'a.example', cert: join(folder, 'certs/a.crt'), key: join(folder, 'certs/a.key') }],
    listen: [{ transport: 'quic', host: '::', port: 443, kinds: ['c2s'] }],
    trust: 'system',
    remotes: new Map(),
  });
});

test('everything there can be, with files that start from the folder of the config file', () => {
  const listen = [
    { transport: 'quic', host: '127.0.0.1', port: 5270, kinds: ['c2s', 's2s'] },
    { transport: 'direct-tls', host: '127.0.0.1', port: 5270, kinds: ['s2s'] },
    { transport: 'starttls', host: '127.0.0.1', port: 0, kinds: ['c2s'] },
    { transport: 'starttls', host: '127.0.0.1', port: 0, kinds: ['s2s'] },
  ];
  const remotes = {
    'B.example.': { transport: 'quic', host: 'xmpp.b.example', port: 443 },
    'bücher.example': { transport: 'starttls', host: '::1' },
  };
  const config = read(JSON.stringify({ hosts: [HOST], listen, trust: ['system', 'certs/ca.crt'], remotes }));
  expect(config.listen).toEqual(listen);
  expect(config.trust).toEqual(['system', join(folder, 'certs/ca.crt')]);
  expect(config.remotes).toEqual(
    new Map([
      ['b.example', { transport: 'quic', host: 'xmpp.b.example', port: 443 }],
      ['xn--bcher-kva.example', { transport: 'starttls', host: '::1' }],
    ]),
  );
});

const remote = (name: string, value: unknown): unknown => ({ ...GOOD, remotes: { [name]: value } });
const listener = (...given: unknown[]): unknown => ({ ...GOOD, listen: given });

test.each<[string, unknown, string]>([
  ['a list', [], '[] is no object'],
  ['no hosts', { listen: [QUIC] }, 'hosts: what is missing is no list, or empty'],
  ['an empty list of hosts', { ...GOOD, hosts: [] }, 'hosts: [] is no list, or empty'],
  ['an unknown field', { ...GOOD, host: [] }, 'host: there is no such field, only hosts, listen, trust, remotes'],
  ['a host that is text', { ...GOOD, hosts: ['a.example'] }, 'hosts[0]: "a.example" is no object'],
  ['a bad domain', { ...GOOD, hosts: [{ ...HOST, domain: 'a b' }] }, 'hosts[0].domain: "a b" is no domain'],
  [
    'a host without a key',
    { ...GOOD, hosts: [{ ...HOST, key: undefined }] },
    'hosts[0].key: what is missing is no text',
  ],
  ['a missing file', { ...GOOD, hosts: [{ ...HOST, cert: 'b.crt' }] }, 'hosts[0].cert: the file …/b.crt is missing'],
  [
    'a host twice',
    { ...GOOD, hosts: [HOST, { ...HOST, domain: 'A.example' }] },
    'hosts[1].domain: a.example is given twice, first in hosts[0].domain',
  ],
  ['no listeners', { hosts: [HOST] }, 'listen: what is missing is no list, or empty'],
  [
    'an unknown transport',
    listener({ ...QUIC, transport: 'carrier-pigeon' }),
    'listen[0].transport: "carrier-pigeon" is none of quic, direct-tls, starttls',
  ],
  [
    'a transport named as something every object has',
    listener({ ...QUIC, transport: 'toString' }),
    'listen[0].transport: "toString" is none of',
  ],
  [
    'a port out of range',
    listener(QUIC, { ...QUIC, port: 65_536 }),
    'listen[1].port: 65536 is no port, which is a whole number from 0 to 65535',
  ],
  ['a port that is text', listener({ ...QUIC, port: '443' }), 'listen[0].port: "443" is no port'],
  ['no port', listener({ transport: 'quic' }), 'listen[0].port: what is missing is no port'],
  [
    'a host name to listen on',
    listener({ ...QUIC, host: 'localhost' }),
    "listen[0].host: 'localhost' is no IP address",
  ],
  ['an unknown kind', listener({ ...QUIC, kinds: ['c2c'] }), 'listen[0].kinds[0]: "c2c" is none of c2s, s2s'],
  ['no kinds', listener({ ...QUIC, kinds: [] }), 'listen[0].kinds: [] is no list, or empty'],
  [
    'a kind twice',
    listener({ ...QUIC, kinds: ['s2s', 's2s'] }),
    'listen[0].kinds[1]: s2s is given twice, first in listen[0].kinds[0]',
  ],
  ['a UDP port twice', listener(QUIC, QUIC), 'listen[1].port: :: port 443 is given twice, first in listen[0].port'],
  [
    'a TCP port for two transports',
    listener({ transport: 'starttls', port: 5222 }, { transport: 'direct-tls', port: 5222 }),
    'listen[1].port: :: port 5222 is given twice',
  ],
  ['trust that is text', { ...GOOD, trust: 'system' }, 'trust: "system" is no list, or empty'],
  ['trust in nobody', { ...GOOD, trust: [] }, 'trust: [] is no list, or empty'],
  ['a missing anchor', { ...GOOD, trust: ['system', 'x.crt'] }, 'trust[1]: the file …/x.crt is missing'],
  ['a remote that is no domain', remote('a b', { transport: 'quic' }), 'remotes["a b"]: \'a b\' is no domain'],
  [
    'a remote that is a host',
    remote('A.example', { transport: 'quic' }),
    'remotes["A.example"]: it is one of the hosts of this server',
  ],
  [
    'a remote twice',
    { ...GOOD, remotes: { 'b.example': { transport: 'quic' }, 'B.example': { transport: 'quic' } } },
    'remotes["B.example"]: b.example is given twice',
  ],
  [
    'a remote without a transport',
    remote('b.example', {}),
    'remotes["b.example"].transport: what is missing is none of quic',
  ],
  [
    'a remote at port 0',
    remote('b.example', { transport: 'quic', port: 0 }),
    'remotes["b.example"].port: 0 is no port, which is a whole number from 1 to',
  ],
  [
    'a remote at no host',
    remote('b.example', { transport: 'quic', host: 'x_y' }),
    'remotes["b.example"].host: "x_y" is no domain',
  ],
])('a config file with %s is refused, and the message names the field', (_title, config, message) => {
  expect(messageOf(JSON.stringify(config))).toContain(`…/chat.json: ${message}`);
});

test.each([
  ['that is no JSON', '{ "hosts": [', 'the file is no JSON: '],
  ['that is empty', '', 'the file is no JSON: '],
])('a config file %s is refused', (_title, text, message) => {
  expect(messageOf(text)).toContain(`…/chat.json: ${message}`);
});

test('a config file that is not there is refused', () => {
  expect(() => readConfig(join(folder, 'other.json'))).toThrow(/other\.json: the file is missing/);
});
