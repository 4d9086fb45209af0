import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ChatClient } from '../src/client/chat-client.ts';
import { errorIn, named, startTestServer, type TestServer } from './harness.ts';

let server: TestServer;
let juliet: ChatClient;

beforeEach(async () => {
  server = await startTestServer();
  juliet = await server.login('juliet');
});
afterEach(() => server[Symbol.asyncDispose]());

test('[RFC 6121 §4.2.2] the resources of an account see each other come and go', async () => {
  const window = await server.login('juliet', { resource: 'window' });
  expect((await juliet.next(named('presence'))).from).toBe(window.jid);
  expect((await window.next(named('presence'))).from).toBe(juliet.jid);
  await window.close();
  const gone = await juliet.next(named('presence'));
  expect([gone.from, gone.type]).toEqual([window.jid, 'unavailable']);
});

test('[RFC 6121 §4.6.3] directed presence reaches its target, which also hears of the end', async () => {
  await using romeo = await server.login('romeo');
  juliet.sendPresence({ to: 'romeo@montague.example' });
  expect(await romeo.next(named('presence'))).toMatchObject({ from: juliet.jid, type: undefined });
  await juliet.close();
  expect(await romeo.next(named('presence'))).toMatchObject({ from: juliet.jid, type: 'unavailable' });
});

test('[RFC 6121 §4.6.3] who was told unavailable is not told again', async () => {
  await using romeo = await server.login('romeo');
  juliet.sendPresence({ to: romeo.jid });
  juliet.sendPresence({ to: romeo.jid, type: 'unavailable' });
  await romeo.next(named('presence'));
  await romeo.next(({ type }) => type === 'unavailable');
  await juliet.close();
  romeo.sendMessage(romeo.jid, 'marker');
  expect((await romeo.next(() => true)).name).toBe('message');
});

test('[RFC 6121 §4.5.2] a connection that breaks makes its resources unavailable', async () => {
  const connection = await server.connect();
  await using romeo = await server.login('romeo');
  const window = await server.login('juliet', { resource: 'window', on: connection });
  window.sendPresence({ to: romeo.jid });
  await romeo.next(named('presence'));
  connection.abort();
  expect(await romeo.next(named('presence'))).toMatchObject({ from: window.jid, type: 'unavailable' });
});

test('[RFC 6121 §4.5] an unavailable resource gets no message to the bare JID', async () => {
  await using romeo = await server.login('romeo');
  romeo.sendPresence({ type: 'unavailable' });
  await romeo.ping();
  juliet.sendMessage('romeo@montague.example', 'still there?');
  expect(errorIn(await juliet.nextMessage())).toBe('service-unavailable');
  juliet.sendMessage(romeo.jid, 'there you are');
  expect((await romeo.nextMessage()).from).toBe(juliet.jid);
});

test('[RFC 6121 §3] subscriptions are not offered', async () => {
  juliet.sendPresence({ to: 'romeo@montague.example', type: 'subscribe' });
  expect(errorIn(await juliet.next(named('presence')))).toBe('feature-not-implemented');
});

test('directed presence is bounded', async () => {
  for (let i = 0; i <= 256; i += 1) juliet.sendPresence({ to: `nobody${i}@montague.example` });
  expect(errorIn(await juliet.next(named('presence')))).toBe('resource-constraint');
  juliet.sendPresence({ to: 'nobody0@montague.example' });
  await juliet.ping();
});
