import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { coreModule, resolveLimits, silentLogger, TransportHub } from '@stanzaport/core';
import { Container } from 'inversify';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { transportConformance } from '../src/index.ts';
import { toyTransportModule } from './samples/toy-module.ts';
import { toySetup } from './samples/toy-setup.ts';
import { toyTransport } from './samples/toy-transport.ts';

const page = read('../../../docs/write-a-transport.md');
const SAMPLES = ['toy-transport', 'toy-setup', 'toy-kit.test', 'toy-module'];

function read(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8');
}

describe('docs/write-a-transport.md', () => {
  test('shows the very samples that run here, and no others', () => {
    const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text);
    expect(blocks).toEqual(SAMPLES.map((name) => read(`./samples/${name}.ts`)));
  });

  test('shows a whole transport in less than 100 lines', () => {
    expect(read('./samples/toy-transport.ts').trimEnd().split('\n').length).toBeLessThan(100);
  });

  test('names each case the toy does not offer, with the reason of the kit', () => {
    const reasons = transportConformance(toySetup).flatMap(({ skip }) => skip ?? []);
    const rows = [...page.matchAll(/^\| [^|]+ \| ([^|]+) \| (\d+) \|$/gm)];
    const counted = Object.fromEntries(rows.map(([, reason, count]) => [reason, Number(count)]));
    expect(counted).toEqual(
      Object.fromEntries(reasons.map((reason) => [reason, reasons.filter((other) => other === reason).length])),
    );
  });

  test('[TC-01] its module gives the hub a transport that serves', async () => {
    const container = new Container();
    container.load(coreModule(), toyTransportModule([{ host: '127.0.0.1', port: 0 }]));
    await using hub = container.get(TransportHub);
    await hub.start();
    const { address, port } = hub.listeners[0]?.address ?? expect.fail('no listener has started');
    const streams = firstValueFrom(hub.streams$);
    const target = { kind: 'c2s', domain: 'capulet.example', host: address, port } as const;
    await using client = await hub.transport('toy-tcp').connect(target);
    const stream = await client.openStream();
    stream.sendHeader({ to: 'capulet.example' });
    const { connection } = await streams;
    expect(connection.transport).toBe('toy-tcp');
    const { tlsVersion, verdict } = client.security;
    expect([tlsVersion, verdict]).toEqual([null, null]);
    const claim = client.security.verify({ domain: 'capulet.example', purpose: 'c2s-server' });
    expect(claim).toMatchObject({ verified: false, reason: 'absent' });
    client.abort();
  });

  test.each([
    ['a name nobody has', { host: 'no-such-host.invalid' }, 'XMPP_NAME_NOT_RESOLVED'],
    ['a port that is none', { host: '127.0.0.1', port: 65_536 }, 'XMPP_BAD_OPTION'],
    ['s2s', { kind: 's2s' as const }, 'XMPP_BAD_OPTION'],
  ])('[TC-09] the toy cannot connect to %s', async (_what, target, code) => {
    const toy = toyTransport(resolveLimits(), silentLogger);
    await expect(toy.connect({ kind: 'c2s', domain: 'capulet.example', ...target })).rejects.toMatchObject({ code });
    await expect(toy.listen({ port: 0, kinds: ['s2s'] })).rejects.toMatchObject({ code: 'XMPP_BAD_OPTION' });
  });
});
