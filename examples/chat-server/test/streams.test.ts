import { afterEach, beforeEach, expect, test } from 'vitest';
import { bodyIn, errorIn, RawStream, startTestServer, type TestServer } from './harness.ts';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

test.each([
  ['malformed XML', '<message><body></message>', 'not-well-formed'],
  ['a comment', '<message><!-- --></message>', 'restricted-xml'],
  ['a stanza that is too large', `<message><body>${'x'.repeat(300_000)}</body></message>`, 'policy-violation'],
  ['an unknown element', "<hello xmlns='urn:example:hello'/>", 'unsupported-stanza-type'],
])('[Q-17] %s ends its stream, the other one of the connection goes on', async (_title, text, condition) => {
  const connection = await server.connect();
  const juliet = await server.login('juliet', { on: connection });
  const romeo = await server.login('romeo', { on: connection });
  const nurse = await server.login('nurse');
  juliet.send(text);
  expect((await juliet.closed).error).toMatchObject({ condition, from: 'peer' });
  romeo.sendMessage(nurse.jid, 'is she gone?');
  expect(bodyIn(await nurse.nextMessage())).toBe('is she gone?');
  nurse.sendMessage(romeo.jid, 'she is');
  expect(bodyIn(await romeo.nextMessage())).toBe('she is');
});

test('[XML-08] a stream that is closed in order ends cleanly on both sides', async () => {
  const juliet = await server.login('juliet');
  expect(await juliet.close()).toMatchObject({ clean: true, by: 'local' });
});

test('[TC-15] stopping the server tells every stream system-shutdown and leaves none', async () => {
  const clients = [await server.login('juliet'), await server.login('romeo')];
  expect(server.program.chat.sessionCount).toBe(2);
  await server.program.stop();
  for (const client of clients) {
    expect((await client.closed).error).toMatchObject({ condition: 'system-shutdown', from: 'peer' });
  }
  expect(server.program.chat.sessionCount).toBe(0);
});

test('[TC-02] stanzas of a burst arrive in order', async () => {
  const juliet = await server.login('juliet');
  const romeo = await server.login('romeo');
  for (let i = 0; i < 1000; i += 1) juliet.sendMessage(romeo.jid, String(i));
  for (let i = 0; i < 1000; i += 1) expect(bodyIn(await romeo.nextMessage())).toBe(String(i));
});

test('[TC-04] a client that does not read costs its own stream and nothing else', async () => {
  // The server gives up at once what the client does not take.
  await using server = await startTestServer({ closeTimeoutMs: 100 });
  const juliet = await server.login('juliet');
  const nurse = await server.login('nurse');
  const romeo = await RawStream.open(await server.connect(), 'montague.example');
  await romeo.logIn('romeo');
  // More than the send queue and the window of the transport hold together.
  const text = 'x'.repeat(50_000);
  for (let i = 0; i < 40; i += 1) {
    juliet.sendMessage('romeo@montague.example/deaf', text, 'normal');
    await juliet.ping();
  }
  expect(errorIn(await juliet.nextMessage())).toBe('service-unavailable');
  juliet.sendMessage(nurse.jid, 'he does not listen');
  expect(bodyIn(await nurse.nextMessage())).toBe('he does not listen');
  expect((await romeo.stream.closed).clean).toBe(false);
});
