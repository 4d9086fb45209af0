import { inspect } from 'node:util';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { collect, connectPair, createQuicTransport, openStreamPair, targetOf, testCa } from './tools/quic-pair.ts';

test('[POL-09] stanza text, SASL payloads and keys are in no log record and no error, at any level', async () => {
  const records: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => records.push(line) });
  const ca = await testCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: ['montague.example'] });
  const key = keyPem.split('\n')[1] ?? '';
  const credentials = [{ domain: 'montague.example', cert: chainPem, key: keyPem }];
  const secrets = ['planted-body', 'cGxhbnRlZC1zYXNs', 'planted-attribute', key];
  const errors: unknown[] = [];
  {
    await using pair = await connectPair({ logger, credentials }, { logger });
    for (const last of [
      "<message planted-attribute='planted-attribute'><body>planted-body</wrong>",
      '<message>planted-body<!-- planted-body --></message>',
      `<message><body>planted-body${'x'.repeat(300_000)}`,
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cGxhbnRlZC1zYXNs</auth><a>planted-body&planted-body;</a>",
    ]) {
      const { initiating, receiving } = await openStreamPair(pair);
      receiving.stanzas$.subscribe(() => {
        throw new Error('a handler that fails');
      });
      const { ended } = collect(initiating);
      initiating.send(last);
      await ended;
      errors.push((await receiving.closed).error, (await initiating.closed).error);
    }
  }
  const wrongKey = (await ca.issue({ dnsNames: ['verona.example'] })).keyPem;
  secrets.push(wrongKey.split('\n')[1] ?? '');
  const listening = createQuicTransport({
    logger,
    credentials: [{ domain: 'verona.example', cert: chainPem, key: wrongKey }],
  }).then((transport) => transport.listen({ host: '127.0.0.1', port: 0 }));
  errors.push(await listening.catch((error: unknown) => error));
  const client = await createQuicTransport({ logger, domains: [] });
  const target = targetOf({ family: 'IPv4', address: '127.0.0.1', port: 9 });
  errors.push(await client.connect(target).catch((error: unknown) => error));

  expect(records.length).toBeGreaterThan(10);
  expect(errors.every((error) => error instanceof Error)).toBe(true);
  const everything = records.join('\n') + errors.map((error) => inspect(error, { depth: 9 })).join('\n');
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(10);
    expect(everything).not.toContain(secret);
  }
});

test('[POL-09] records of a connection and of a stream say which one they are of', async () => {
  const records: Record<string, unknown>[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => records.push(JSON.parse(line)) });
  {
    await using pair = await connectPair({ logger });
    const { initiating, receiving } = await openStreamPair(pair);
    const { ended } = collect(receiving);
    initiating.close();
    await ended;
  }
  const ofStream = records.find(({ msg }) => msg === 'stanza stream ended');
  expect(ofStream).toMatchObject({ transport: 'quic', streamId: '0' });
  expect(ofStream?.connectionId).toMatch(/^quic-\d+$/);
  expect(ofStream?.remote).toMatch(/^127\.0\.0\.1 \d+$/);
});
