import { StreamError } from '@stanzaport/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ChatClient } from '../src/client/chat-client.ts';
import { LoginError } from '../src/client/client-error.ts';
import { CAST } from '../src/demo/cast.ts';
import { RawStream, startTestServer, type TestServer } from './harness.ts';

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const BIND = "xmlns='urn:ietf:params:xml:ns:xmpp-bind'";
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const plain = (user: string, password: string): string =>
  `<auth ${SASL} mechanism='PLAIN'>${base64(`\0${user}\0${password}`)}</auth>`;
const JULIET = plain('juliet', CAST.juliet.password);

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server[Symbol.asyncDispose]());

/** A stream that has just received its first features. */
async function opened(): Promise<RawStream> {
  const raw = await RawStream.open(await server.connect());
  await raw.hear();
  return raw;
}

/** A stream that is authenticated as juliet and has received the features for binding. */
async function authenticated(): Promise<RawStream> {
  const raw = await opened();
  expect((await raw.ask(JULIET)).name).toBe('success');
  raw.stream.restart();
  raw.stream.sendHeader({ to: 'capulet.example' });
  expect((await raw.hear()).element.getChild('bind')).toBeDefined();
  return raw;
}

describe('stream negotiation', () => {
  test('[XML-05] the server answers with a header of its own, and offers mechanisms but no STARTTLS', async () => {
    const raw = await RawStream.open(await server.connect());
    const features = await raw.hear();
    expect(raw.stream.header).toMatchObject({ from: 'capulet.example', version: '1.0' });
    const mechanisms = features.element.getChild('mechanisms')?.getChildren('mechanism') ?? [];
    expect(mechanisms.map((element) => element.getText())).toEqual(['SCRAM-SHA-256', 'PLAIN']);
    expect(features.source).not.toContain('starttls');
    await raw.stream.close();
  });

  test('[XML-04] a host that is not served gets host-unknown', async () => {
    const raw = await RawStream.open(await server.connect(), 'verona.example');
    expect(await raw.ending()).toBe('host-unknown');
    expect(raw.stream.header?.from).not.toBe('verona.example');
  });

  test('[XML-20] a stanza before authentication ends the stream', async () => {
    const raw = await opened();
    raw.say("<message to='romeo@montague.example'><body>let me in</body></message>");
    expect(await raw.ending()).toBe('not-authorized');
  });

  test('[RFC 6120 §4.9.3.24] another nonza than SASL before authentication ends the stream', async () => {
    const raw = await opened();
    raw.say("<hello xmlns='urn:example:hello'/>");
    expect(await raw.ending()).toBe('unsupported-stanza-type');
  });
});

describe('authentication', () => {
  test.each(['SCRAM-SHA-256', 'PLAIN'] as const)('[RFC 6120 §6] logs in by %s', async (mechanism) => {
    await using connection = await server.connect();
    await using client = await ChatClient.login(connection, { ...CAST.juliet, mechanism, resource: mechanism });
    expect(client.jid).toBe(`juliet@capulet.example/${mechanism}`);
  });

  test.each(['SCRAM-SHA-256', 'PLAIN'] as const)(
    '[RFC 6120 §6.5.10] refuses a wrong password by %s',
    async (mechanism) => {
      await using connection = await server.connect();
      const attempt = ChatClient.login(connection, { ...CAST.juliet, mechanism, password: 'therefore' });
      await expect(attempt).rejects.toMatchObject({ stage: 'authentication', condition: 'not-authorized' });
      await expect(attempt).rejects.toBeInstanceOf(LoginError);
    },
  );

  test('[Q-17] accounts of two hosts log in on one connection, and an account belongs to its host', async () => {
    await using connection = await server.connect();
    await using juliet = await ChatClient.login(connection, CAST.juliet);
    await using romeo = await ChatClient.login(connection, CAST.romeo);
    expect([juliet.jid, romeo.jid]).toEqual(['juliet@capulet.example/balcony', 'romeo@montague.example/orchard']);
    const stranger = ChatClient.login(connection, { ...CAST.juliet, domain: 'montague.example' });
    await expect(stranger).rejects.toMatchObject({ condition: 'not-authorized' });
  });

  test.each([
    ['an unknown mechanism', `<auth ${SASL} mechanism='DIGEST-MD5'/>`, 'invalid-mechanism'],
    [
      'a mechanism that was not offered',
      `<auth ${SASL} mechanism='SCRAM-SHA-256-PLUS'>biws</auth>`,
      'invalid-mechanism',
    ],
    ['no mechanism', `<auth ${SASL}/>`, 'invalid-mechanism'],
    ['what is not Base64', `<auth ${SASL} mechanism='PLAIN'>a*b</auth>`, 'incorrect-encoding'],
    ['a response to nothing', `<response ${SASL}>AAAA</response>`, 'malformed-request'],
    ['an abort', `<abort ${SASL}/>`, 'aborted'],
    ['an empty response', `<auth ${SASL} mechanism='PLAIN'>=</auth>`, 'malformed-request'],
  ])('[RFC 6120 §6.5] answers %s', async (_title, text, condition) => {
    const raw = await opened();
    const failure = await raw.ask(text);
    expect([failure.name, failure.element.getChildElements()[0]?.getName()]).toEqual(['failure', condition]);
    expect((await raw.ask(JULIET)).name).toBe('success');
    await raw.stream.close();
  });

  test('[RFC 6120 §6.4.2] asks for the initial response that was left out', async () => {
    const raw = await opened();
    const challenge = await raw.ask(`<auth ${SASL} mechanism='PLAIN'/>`);
    expect([challenge.name, challenge.element.getText()]).toEqual(['challenge', '']);
    const message = base64(`\0juliet\0${CAST.juliet.password}`);
    expect((await raw.ask(`<response ${SASL}>${message}</response>`)).name).toBe('success');
    await raw.stream.close();
  });

  test('[RFC 6120 §6.4.5] ends the stream after three failures', async () => {
    const raw = await opened();
    for (const password of ['a', 'b', 'c']) expect((await raw.ask(plain('juliet', password))).name).toBe('failure');
    expect(await raw.ending()).toBe('policy-violation');
  });
});

describe('resource binding', () => {
  test('[RFC 6120 §7.6] makes a resource where the client names none', async () => {
    const raw = await authenticated();
    const answer = await raw.ask(`<iq type='set' id='1'><bind ${BIND}/></iq>`);
    expect(answer.element.getChild('bind')?.getChildText('jid')).toMatch(/^juliet@capulet\.example\/[\w-]{12}$/);
    await raw.stream.close();
  });

  test('[RFC 6120 §7.7.2.1] refuses a resource that cannot be, and lets the client try again', async () => {
    const raw = await authenticated();
    const bad = await raw.ask(
      `<iq type='set' id='1'><bind ${BIND}><resource>${'x'.repeat(1024)}</resource></bind></iq>`,
    );
    expect([bad.type, bad.element.getChild('error')?.getChild('bad-request')]).toEqual(['error', expect.anything()]);
    const good = await raw.ask(`<iq type='set' id='2'><bind ${BIND}><resource>x</resource></bind></iq>`);
    expect(good.type).toBe('result');
    await raw.stream.close();
  });

  test('[RFC 6120 §7.1] another stanza before binding ends the stream', async () => {
    const raw = await authenticated();
    raw.say("<message to='romeo@montague.example'><body>too early</body></message>");
    expect(await raw.ending()).toBe('not-authorized');
  });

  test('[RFC 6120 §7.7.2.2] who binds a resource that is taken ends the other stream with conflict', async () => {
    await using first = await server.login('juliet', { resource: 'window' });
    await using second = await server.login('juliet', { resource: 'window' });
    const { clean, error } = await first.closed;
    expect(clean).toBe(false);
    expect(error).toBeInstanceOf(StreamError);
    expect(error).toMatchObject({ condition: 'conflict', from: 'peer' });
    await second.ping();
  });

  test('[RFC 6120 §7.7.2.1] an account has at most sixteen resources', async () => {
    await using connection = await server.connect();
    const clients: ChatClient[] = [];
    for (let i = 0; i < 16; i += 1) {
      clients.push(await ChatClient.login(connection, { ...CAST.nurse, resource: `r${i}` }));
    }
    const next = ChatClient.login(connection, { ...CAST.nurse, resource: 'r16' });
    await expect(next).rejects.toMatchObject({ stage: 'binding', condition: 'resource-constraint' });
    await clients[0]?.close();
    await expect(ChatClient.login(connection, { ...CAST.nurse, resource: 'r16' })).resolves.toBeDefined();
  });
});
