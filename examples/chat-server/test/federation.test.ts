import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { CertificateError, type Connection } from '@stanzaport/core';
import { createTestCa, type TestCa } from '@stanzaport/testing';
import xml from '@xmpp/xml';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientHub } from '../src/client-program.ts';
import { NS } from '../src/namespaces.ts';
import { serverTransports, type TransportName } from '../src/transports.ts';
import {
  type FederatedServer,
  type FederatedServerOptions,
  introduce,
  startFederatedServer,
} from './federated-server.ts';
import { bodyIn, errorIn, named, RawStream } from './harness.ts';

const COUNT = 100;

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});

describe.each<TransportName>(['quic', 'direct-tls', 'starttls'])('two servers over %s', (transport) => {
  let capulet: FederatedServer;
  let montague: FederatedServer;

  async function start(
    domain: string,
    usernames: readonly string[],
    options: Pick<FederatedServerOptions, 'certified' | 'others'> = {},
  ): Promise<FederatedServer> {
    const server = await startFederatedServer({ ca, transport, domain, usernames, ...options });
    servers.push(server);
    return server;
  }
  const servers: FederatedServer[] = [];

  beforeEach(async () => {
    capulet = await start('capulet.example', ['juliet', 'nurse']);
    montague = await start('montague.example', ['romeo']);
    introduce(capulet, montague);
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
  });

  test('[CERT-22] bring 100 messages each way, in order, on one stream for each direction', async () => {
    const juliet = await capulet.login('juliet');
    const nurse = await capulet.login('nurse');
    const romeo = await montague.login('romeo');
    for (let n = 0; n < COUNT; n += 1) {
      juliet.sendMessage(romeo.jid, `<${n}> & 'quoted'`);
      romeo.sendMessage(juliet.jid, String(n));
    }
    for (let n = 0; n < COUNT; n += 1) {
      const [toRomeo, toJuliet] = [await romeo.nextMessage(), await juliet.nextMessage()];
      expect([toRomeo.from, toRomeo.to, bodyIn(toRomeo)]).toEqual([juliet.jid, romeo.jid, `<${n}> & 'quoted'`]);
      expect([toJuliet.from, toJuliet.to, bodyIn(toJuliet)]).toEqual([romeo.jid, juliet.jid, String(n)]);
      expect([toRomeo.namespace, toRomeo.element.getChild('body')?.getNS()]).toEqual([
        'jabber:client',
        'jabber:client',
      ]);
    }
    nurse.sendMessage('romeo@montague.example', 'to the bare address');
    expect(bodyIn(await romeo.nextMessage())).toBe('to the bare address');
    // The clients, and one stream from the other server.
    expect([capulet.program.chat.sessionCount, montague.program.chat.sessionCount]).toEqual([3, 2]);
    expect([...capulet.warnings, ...montague.warnings]).toEqual([]);
  });

  test('[Q-20] have a stream for each pair of domains, and share a connection where there can be several', async () => {
    const verona = await start('verona.example', ['paris'], { others: ['mantua.example'] });
    introduce(verona, montague);
    const romeo = await montague.login('romeo');
    for (const host of ['verona.example', 'mantua.example']) {
      const paris = await verona.login('paris', host);
      for (const text of ['first', 'second']) {
        paris.sendMessage(romeo.jid, text);
        expect(bodyIn(await romeo.nextMessage())).toBe(text);
      }
    }
    expect(montague.authenticated.map(({ remote }) => remote)).toEqual(['verona.example', 'mantua.example']);
    const connections = new Set(montague.authenticated.map(({ connectionId }) => connectionId));
    expect(connections.size).toBe(transport === 'quic' ? 1 : 2);
  });

  test('bring requests to users and to the server, and their answers back', async () => {
    const juliet = await capulet.login('juliet');
    const romeo = await montague.login('romeo');
    await juliet.ping(romeo.jid);
    await romeo.ping('capulet.example');
    const info = await juliet.request('get', xml('query', { xmlns: NS.discoInfo }), 'montague.example');
    expect(info.element.getChild('query', NS.discoInfo)?.getChild('identity')?.attrs.type).toBe('im');
    await expect(juliet.ping('romeo@montague.example/nowhere')).rejects.toThrow('service-unavailable');
  });

  test('[RFC 6121 §4.6.3] bring directed presence, and its end when the stream ends', async () => {
    const juliet = await capulet.login('juliet');
    const romeo = await montague.login('romeo');
    juliet.sendPresence({ to: romeo.jid }, xml('status', {}, 'on the balcony'));
    const here = await romeo.next(named('presence'));
    expect([here.from, here.type, here.element.getChildText('status')]).toEqual([
      juliet.jid,
      undefined,
      'on the balcony',
    ]);
    await juliet.close();
    const gone = await romeo.next(named('presence'));
    expect([gone.from, gone.to, gone.type]).toEqual([juliet.jid, romeo.jid, 'unavailable']);
  });

  test('[RFC 6120 §10.4] tell who is not found, who does not answer, and who is not there', async () => {
    capulet.remotes.set('nowhere.example', { transport, host: 'nowhere.invalid' });
    capulet.remotes.set('closed.example', { transport, host: '127.0.0.1', port: await freePort(transport) });
    const juliet = await capulet.login('juliet');
    for (const [to, condition] of [
      ['paris@verona.example', 'remote-server-not-found'],
      ['paris@nowhere.example', 'remote-server-not-found'],
      ['paris@closed.example', 'remote-server-timeout'],
      ['benvolio@montague.example', 'service-unavailable'],
    ] as const) {
      juliet.sendMessage(to, 'are you there?');
      const answer = await juliet.nextMessage();
      expect([answer.from, answer.to, errorIn(answer)]).toEqual([to, juliet.jid, condition]);
      await expect(juliet.ping(to)).rejects.toThrow(condition);
    }
  });

  test('[XEP-0478] send back what is too large for the other, and go on', async () => {
    const juliet = await capulet.login('juliet');
    const romeo = await montague.login('romeo');
    // Just small enough for the own server; the `from` that it adds makes it too large for the other one.
    const around = Buffer.byteLength("<message to='romeo@montague.example/home'><body></body></message>");
    juliet.send(`<message to='${romeo.jid}'><body>${'x'.repeat(262_144 - around)}</body></message>`);
    expect(errorIn(await juliet.nextMessage())).toBe('policy-violation');
    juliet.sendMessage(romeo.jid, 'shorter');
    expect(bodyIn(await romeo.nextMessage())).toBe('shorter');
    expect(montague.warnings).toEqual([]);
  });

  test('[RFC 6120 §4.8.3] bring what declares its namespace itself, and a `from` in it, as any other', async () => {
    const juliet = await capulet.login('juliet');
    const romeo = await montague.login('romeo');
    for (const from of ['', "from='juliet@capulet.example'"]) {
      juliet.send(`<message xmlns='jabber:client' ${from} to='${romeo.jid}'><body>declared</body></message>`);
      const message = await romeo.nextMessage();
      expect([message.namespace, message.from, bodyIn(message)]).toEqual(['jabber:client', juliet.jid, 'declared']);
    }
    juliet.send(`<c:message xmlns:c='jabber:client' to='${romeo.jid}'/>`);
    expect((await juliet.closed).error).toMatchObject({ condition: 'bad-namespace-prefix', from: 'peer' });
    expect([...capulet.warnings, ...montague.warnings]).toEqual([]);
  });

  test('go on after one of them has started anew', async () => {
    const juliet = await capulet.login('juliet');
    const romeo = await montague.login('romeo');
    await juliet.ping(romeo.jid);
    await montague[Symbol.asyncDispose]();
    await capulet.warning(/^the outgoing stream failed: system-shutdown/);
    juliet.sendMessage('romeo@montague.example', 'gone?');
    expect(errorIn(await juliet.nextMessage())).toBe('remote-server-timeout');
    const second = await start('montague.example', ['romeo']);
    introduce(capulet, second);
    await juliet.ping((await second.login('romeo')).jid);
  });

  test('[CERT-21] refuse each other where a certificate does not prove the domain, in both directions', async () => {
    const impostor = await start('verona.example', ['paris'], { certified: 'elsewhere.example' });
    introduce(capulet, impostor);
    const juliet = await capulet.login('juliet');
    const paris = await impostor.login('paris');

    // The impostor connects: the certificate it presents is judged by the `from` of its header.
    paris.sendMessage(juliet.jid, 'let me in');
    expect(errorIn(await paris.nextMessage())).toBe('remote-server-timeout');
    expect(capulet.warnings).toEqual([expect.stringMatching(/^a server is refused: /)]);
    expect(impostor.warnings.at(-1)).toMatch(/^the outgoing stream failed: not-authorized/);

    // It is connected to: nothing is sent on that connection.
    juliet.sendMessage(paris.jid, 'who is there?');
    expect(errorIn(await juliet.nextMessage())).toBe('remote-server-timeout');
    expect(capulet.warnings.at(-1)).toMatch(/^the outgoing stream failed: .*verona\.example/);
    const connecting = connectAs('capulet.example', impostor);
    await expect(connecting).rejects.toBeInstanceOf(CertificateError);
    await expect(connecting).rejects.toMatchObject({ category: 'certificate', reason: 'name-mismatch' });
  });

  /** A connection as a server with the certificate of `certified`, to speak XML on. */
  async function connectAs(certified: string, to: FederatedServer): Promise<Connection> {
    const { chainPem, keyPem } = await ca.issue({ dnsNames: [certified] });
    const credentials = [{ cert: chainPem, key: keyPem }];
    const hub = clientHub(serverTransports({ credentials, trust: [ca.rootPem], listen: [] }));
    const { host, port } = to.remote;
    const target = { kind: 's2s', domain: to.domain, localDomain: certified, host, port } as const;
    return hub.transport(transport).connect(target);
  }

  describe('a stream of another server', () => {
    const FROM = 'verona.example';

    async function open(header: { readonly from?: string; readonly to?: string } = {}): Promise<RawStream> {
      const connection = await connectAs(FROM, capulet);
      const raw = new RawStream(await connection.openStream());
      raw.stream.sendHeader({ from: FROM, to: 'capulet.example', ...header });
      return raw;
    }

    const auth = (text: string, mechanism = 'EXTERNAL'): string =>
      `<auth xmlns='${NS.sasl}' mechanism='${mechanism}'>${text}</auth>`;
    const base64 = (text: string): string => Buffer.from(text).toString('base64');

    test('[CERT-21] is offered EXTERNAL and nothing else where its certificate proves it', async () => {
      const raw = await open();
      const { element } = await raw.hear();
      expect(element.getChildElements().map((child) => child.getName())).toEqual(['mechanisms']);
      const mechanisms = element.getChild('mechanisms', NS.sasl)?.getChildElements() ?? [];
      expect(mechanisms.map((mechanism) => mechanism.getText())).toEqual(['EXTERNAL']);
      await raw.stream.close();
    });

    test.each([
      ['from a domain that its certificate does not prove', { from: 'montague.example' }, 'not-authorized'],
      ['from a host of this server', { from: 'capulet.example' }, 'not-authorized'],
      ['from nobody', { from: '' }, 'improper-addressing'],
      ['to a domain that is not served', { to: 'mantua.example' }, 'host-unknown'],
    ])('[CERT-21] %s is refused', async (_title, header, condition) => {
      expect(await (await open(header)).ending()).toBe(condition);
    });

    test.each([
      ['=', 'success', null],
      ['', 'success', null],
      [base64(FROM), 'success', null],
      [base64('montague.example'), 'failure', 'invalid-authzid'],
      ['!', 'failure', 'incorrect-encoding'],
    ])('[CERT-22] EXTERNAL with %j ends with %s', async (response, name, condition) => {
      const raw = await open();
      await raw.hear();
      const answer = await raw.ask(auth(response));
      expect([answer.name, answer.namespace]).toEqual([name, NS.sasl]);
      expect(answer.element.getChildElements()[0]?.getName() ?? null).toBe(condition);
      if (condition !== null) expect(await raw.ending()).toBe('not-authorized');
      else await raw.stream.close();
    });

    test('[CERT-22] PLAIN is no mechanism between servers', async () => {
      const raw = await open();
      await raw.hear();
      const answer = await raw.ask(auth('', 'PLAIN'));
      expect(answer.element.getChildElements()[0]?.getName()).toBe('invalid-mechanism');
      expect(await raw.ending()).toBe('not-authorized');
    });

    test('a stanza before authentication ends it', async () => {
      const raw = await open();
      await raw.hear();
      raw.say(`<message from='paris@${FROM}' to='juliet@capulet.example'/>`);
      expect(await raw.ending()).toBe('not-authorized');
    });

    test.each([
      ['without to', `from='paris@${FROM}'`, 'improper-addressing'],
      ['without from', "to='juliet@capulet.example'", 'improper-addressing'],
      ['to what is no address', `from='paris@${FROM}' to='juliet@@capulet.example'`, 'improper-addressing'],
      ['from another domain', "from='romeo@montague.example' to='juliet@capulet.example'", 'invalid-from'],
      ['from a domain below its own', `from='paris@x.${FROM}' to='juliet@capulet.example'`, 'invalid-from'],
      ['to a domain that is not served', `from='paris@${FROM}' to='juliet@mantua.example'`, 'host-unknown'],
      [
        'for clients',
        `xmlns='jabber:client' from='paris@${FROM}' to='juliet@capulet.example'`,
        'unsupported-stanza-type',
      ],
    ])('[RFC 6120 §8.1] a message %s ends it, and reaches nobody', async (_title, attributes, condition) => {
      const juliet = await capulet.login('juliet');
      const raw = await open();
      await raw.hear();
      await raw.ask(auth('='));
      raw.stream.restart();
      raw.stream.sendHeader({ from: FROM, to: 'capulet.example' });
      await raw.hear();
      raw.say(`<message from='paris@${FROM}/x' to='${juliet.jid}'><body>good</body></message>`);
      raw.say(`<message ${attributes}><body>bad</body></message>`);
      expect(await raw.ending()).toBe(condition);
      juliet.sendMessage(juliet.jid, 'the last');
      expect([bodyIn(await juliet.nextMessage()), bodyIn(await juliet.nextMessage())]).toEqual(['good', 'the last']);
    });
  });
});

/** A port of 127.0.0.1 where nobody listens any more. */
async function freePort(transport: TransportName): Promise<number> {
  const socket =
    transport === 'quic' ? createSocket('udp4').bind(0, '127.0.0.1') : createServer().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const address = socket.address();
  const closed = once(socket, 'close');
  socket.close();
  await closed;
  return typeof address === 'object' && address !== null ? address.port : 0;
}
