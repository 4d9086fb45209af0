import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Stanza, StreamPool, silentLogger } from '@stanzaport/core';
import { createTestCa } from '@stanzaport/testing';
import xml, { type Element } from '@xmpp/xml';
import { expect, test } from 'vitest';
import { clientHub } from '../src/client-program.ts';
import { parseJid } from '../src/jid.ts';
import { Federation } from '../src/server/federation/federation.ts';
import { Outbox } from '../src/server/federation/outbox.ts';
import type { Sender } from '../src/server/sender.ts';
import { serverTransports } from '../src/transports.ts';

test.each([
  ['2,000 stanzas', 2_000, '<message/>'],
  ['4 MiB', 16, 'x'.repeat(262_144)],
])('[RFC 6120 §13.12] what waits for a stream is bounded by %s, in order', (_title, most, text) => {
  const outbox = new Outbox();
  const bounced: string[] = [];
  const put = (name: string): void => outbox.put({ text, bounce: (condition) => bounced.push(`${name} ${condition}`) });
  for (let n = 0; n < most; n += 1) put(String(n));
  expect(bounced).toEqual([]);
  put('one more');
  expect(bounced).toEqual(['one more resource-constraint']);
  outbox.take()?.bounce('remote-server-timeout');
  put('instead of the first');
  outbox.bounceAll('remote-server-timeout');
  expect(outbox.take()).toBeNull();
  expect(bounced).toHaveLength(most + 2);
  expect(bounced.slice(1, 3)).toEqual(['0 remote-server-timeout', '1 remote-server-timeout']);
  expect(bounced.at(-1)).toBe('instead of the first remote-server-timeout');
  put('empty again');
  expect(bounced).toHaveLength(most + 2);
});

test('[RFC 6120 §8.3.3.17] stanzas for a server that is silent wait, and come back in order when the time is over', async () => {
  await using silence = await bindSilence();
  const ca = await createTestCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: ['capulet.example'] });
  const credentials = [{ cert: chainPem, key: keyPem }];
  const hub = clientHub(serverTransports({ credentials, trust: [ca.rootPem], listen: [] }));
  const federation = new Federation({
    remotes: new Map([['montague.example', { transport: 'quic', host: '127.0.0.1', port: silence.port }]]),
    poolOf: (name) => new StreamPool(hub.transport(name)),
    negotiationTimeoutMs: 100,
    logger: silentLogger,
  });
  const to = parseJid('romeo@montague.example');
  const answers = new Promise<Element[]>((resolve) => {
    const heard: Element[] = [];
    const sender: Sender = {
      jid: 'juliet@capulet.example/balcony',
      bare: 'juliet@capulet.example',
      deliver: (answer) => {
        heard.push(answer);
        if (heard.length === 3) resolve(heard);
        return true;
      },
    };
    for (const id of ['1', '2', '3']) {
      const stanza = Stanza.of(xml('message', { id, to: 'romeo@montague.example' }));
      if (to !== null) federation.send(sender, stanza, to);
    }
  });
  const conditions = (await answers).map((answer) => [
    answer.attrs.id,
    answer.getChild('error')?.getChildElements()[0]?.getName(),
  ]);
  expect(conditions).toEqual(['1', '2', '3'].map((id) => [id, 'remote-server-timeout']));
  await federation.stop();
});

async function bindSilence(): Promise<{ readonly port: number } & AsyncDisposable> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
