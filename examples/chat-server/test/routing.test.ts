import xml from '@xmpp/xml';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChatClient } from '../src/client/chat-client.ts';
import { NS } from '../src/namespaces.ts';
import { bodyIn, errorIn, named, startTestServer, type TestServer } from './harness.ts';

let server: TestServer;
let juliet: ChatClient;
let romeo: ChatClient;

beforeEach(async () => {
  server = await startTestServer();
  juliet = await server.login('juliet');
  romeo = await server.login('romeo');
});
afterEach(() => server[Symbol.asyncDispose]());

/** Nothing but what was expected has come to `client`: the answer to a ping is the next thing it hears. */
async function hearsNothing(client: ChatClient): Promise<void> {
  client.send(xml('iq', { type: 'get', id: 'marker' }, xml('ping', { xmlns: NS.ping })));
  expect((await client.next(() => true)).id).toBe('marker');
}

describe('messages', () => {
  test('[RFC 6121 §8.5.3.1] to a full JID reaches that resource, stamped with the sender', async () => {
    juliet.sendMessage(romeo.jid, 'Art thou not Romeo?');
    const message = await romeo.nextMessage();
    expect([message.from, message.to, bodyIn(message)]).toEqual([juliet.jid, romeo.jid, 'Art thou not Romeo?']);
  });

  test('[RFC 6120 §8.1.2.1] a sender cannot write another from', async () => {
    juliet.send(xml('message', { to: romeo.jid, from: 'juliet@capulet.example' }, xml('body', {}, 'bare')));
    expect((await romeo.nextMessage()).from).toBe(juliet.jid);
    juliet.send(xml('message', { to: romeo.jid, from: juliet.jid }, xml('body', {}, 'full')));
    expect((await romeo.nextMessage()).from).toBe(juliet.jid);
    juliet.send(xml('message', { to: romeo.jid, from: 'nurse@capulet.example' }, xml('body', {}, 'forged')));
    expect((await juliet.closed).error).toMatchObject({ condition: 'invalid-from' });
    await hearsNothing(romeo);
  });

  test('[XML-14] what a message holds arrives unchanged', async () => {
    const html =
      "<x xmlns='urn:example:x' a='&lt;&amp;&quot;'>\u{1f339} <![CDATA[<rose>]]> &#x2764;<y:z xmlns:y='urn:example:y'/></x>";
    juliet.send(`<message to='${romeo.jid}'>${html}</message>`);
    const message = await romeo.nextMessage();
    expect(message.source).toContain(html);
    expect(message.element.getChild('x')?.attrs.a).toBe('<&"');
  });

  test('[RFC 6121 §8.5.2.1] to a bare JID reaches the resources of the highest priority', async () => {
    await using low = await server.login('romeo', { resource: 'low' });
    await using never = await server.login('romeo', { resource: 'never' });
    low.sendPresence({}, xml('priority', {}, '-1'));
    await low.next(({ source }) => source.includes('-1'));
    never.sendPresence({}, xml('priority', {}, '-128'));
    await never.next(({ source }) => source.includes('-128'));
    juliet.sendMessage('romeo@montague.example', 'O Romeo');
    expect(bodyIn(await romeo.nextMessage())).toBe('O Romeo');
    low.sendPresence({}, xml('priority', {}, '7'));
    await low.next(({ source }) => source.includes('7'));
    juliet.sendMessage('romeo@montague.example', 'Wherefore art thou Romeo?');
    expect(bodyIn(await low.nextMessage())).toBe('Wherefore art thou Romeo?');
  });

  test('[RFC 6121 §8.5.3.2] a chat message to a resource that is gone goes to the others, a normal one comes back', async () => {
    juliet.sendMessage('romeo@montague.example/gone', 'chat', 'chat');
    expect(bodyIn(await romeo.nextMessage())).toBe('chat');
    juliet.sendMessage('romeo@montague.example/gone', 'normal', 'normal');
    expect(errorIn(await juliet.nextMessage())).toBe('service-unavailable');
    juliet.sendMessage('romeo@montague.example/gone', 'headline', 'headline');
    await hearsNothing(juliet);
    await hearsNothing(romeo);
  });

  test.each([
    ['an account that does not exist', 'tybalt@capulet.example', 'service-unavailable'],
    ['an account that is offline', 'nurse@capulet.example', 'service-unavailable'],
    ['a host that is not here', 'mercutio@verona.example', 'remote-server-not-found'],
    ['what is no address', '@', 'jid-malformed'],
  ])('[RFC 6121 §8.5] to %s comes back as an error', async (_title, to, condition) => {
    juliet.sendMessage(to, 'anybody there?');
    const error = await juliet.nextMessage();
    expect([error.from, error.to, errorIn(error)]).toEqual([to, juliet.jid, condition]);
  });

  test('[RFC 6120 §8.3.1] an error is never answered', async () => {
    juliet.send(xml('message', { to: 'tybalt@capulet.example', type: 'error' }));
    juliet.send(xml('iq', { to: 'tybalt@capulet.example', type: 'error', id: '1' }));
    juliet.send(xml('iq', { to: 'tybalt@capulet.example', type: 'result', id: '2' }));
    await hearsNothing(juliet);
  });
});

describe('requests', () => {
  test.each([undefined, 'capulet.example', 'juliet@capulet.example'])(
    '[XEP-0199] a ping to %s is answered',
    async (to) => {
      await juliet.ping(to);
    },
  );

  test('[RFC 6121 §8.5.3.1] a ping to a resource goes there and back', async () => {
    await juliet.ping(romeo.jid);
  });

  test('[RFC 6121 §2.1.3] the roster is there, and empty', async () => {
    const query = xml('query', { xmlns: NS.roster });
    const { element } = await juliet.request('get', query);
    expect(element.getChild('query', NS.roster)?.children).toEqual([]);
    await expect(juliet.request('get', query, 'romeo@montague.example')).rejects.toMatchObject({
      condition: 'service-unavailable',
    });
    await expect(juliet.request('set', query)).rejects.toMatchObject({ condition: 'not-allowed' });
  });

  test('[XEP-0030 §3.1] the server tells what it can', async () => {
    const query = xml('query', { xmlns: NS.discoInfo });
    const { element } = await juliet.request('get', query, 'capulet.example');
    const features = element.getChild('query')?.getChildren('feature') ?? [];
    expect(features.map(({ attrs }) => attrs.var)).toContain(NS.ping);
  });

  test.each([
    ['what it does not know', xml('query', { xmlns: 'urn:example:unknown' }), undefined, 'service-unavailable'],
    ['a resource that is gone', xml('ping', { xmlns: NS.ping }), 'romeo@montague.example/gone', 'service-unavailable'],
    ['another account', xml('ping', { xmlns: NS.ping }), 'romeo@montague.example', 'service-unavailable'],
    ['a second binding', xml('bind', { xmlns: NS.bind }), undefined, 'not-allowed'],
  ])('[RFC 6120 §8.2.3] a request for %s gets an error', async (_title, payload, to, condition) => {
    await expect(juliet.request('get', payload, to)).rejects.toMatchObject({ condition });
  });

  test.each([
    ['without an id', "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>"],
    ['of no type', "<iq id='1'><ping xmlns='urn:xmpp:ping'/></iq>"],
    ['of an unknown type', "<iq type='put' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"],
    ['without a payload', "<iq type='get' id='1'/>"],
    ['with two payloads', "<iq type='get' id='1'><a xmlns='urn:example:a'/><b xmlns='urn:example:b'/></iq>"],
  ])('[RFC 6120 §8.2.3] an iq %s is a bad request', async (_title, text) => {
    juliet.send(text);
    expect(errorIn(await juliet.next(named('iq')))).toBe('bad-request');
  });
});
