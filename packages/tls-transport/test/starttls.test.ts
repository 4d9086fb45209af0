import { once } from 'node:events';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { TransportError } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { headerOf, PROCEED, STARTTLS, startTls } from './tools/clear-text.ts';
import { listenersOf } from './tools/listening.ts';
import { connectRaw, readToEnd, readUntil, secureRaw } from './tools/raw-tls.ts';
import { serve } from './tools/scripted-server.ts';
import { collectTexts, takeStream } from './tools/stream-texts.ts';
import { createTransport, DOMAIN, issue, OTHER_DOMAIN, targetOf } from './tools/transports.ts';

const upgrade = 'starttls';
const listen = listenersOf(upgrade);

describe('receiving entity, in clear text', () => {
  test('[STARTTLS-01] [STARTTLS-05] header, one feature, <proceed/>, TLS, and then a stream that knows nothing of it', async () => {
    const listener = await listen();
    const accepted = firstValueFrom(listener.connections$);
    const tcp = await connectRaw(listener.address.port);
    tcp.write(headerOf('c2s').replace("to='", "from='clear@capulet.example' to='"));
    const clear = await readUntil(tcp, /<\/stream:features>/);
    expect(clear).toMatch(
      /<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required\/><\/starttls><\/stream:features>$/,
    );
    tcp.write(STARTTLS);
    expect(await readUntil(tcp, />/)).toBe(PROCEED);
    const tls = await secureRaw(tcp, { servername: DOMAIN });
    tls.write(`${headerOf()}<one/>`);
    const stream = await takeStream(await accepted);
    const { stanzas } = collectTexts(stream);
    tls.write('<two/></stream:stream>');
    const answer = await readUntil(tls, /<\/stream:stream>/);
    tls.end();
    await stream.closed;
    expect(stream.header).toMatchObject({ to: DOMAIN, from: undefined });
    expect(stanzas).toEqual(['<one/>', '<two/>']);
    expect(answer).not.toContain('starttls');
    const ids = [clear, answer].map((text) => / id='([^']+)'/.exec(text)?.[1]);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test.each([
    ['SNI absent', undefined, OTHER_DOMAIN, OTHER_DOMAIN],
    ['SNI before `to`', DOMAIN, OTHER_DOMAIN, DOMAIN],
  ])('[CERT-25] [POL-02] the certificate: %s', async (_title, servername, to, expected) => {
    const listener = await listen(['c2s'], { domains: [DOMAIN, OTHER_DOMAIN] });
    const accepted = firstValueFrom(listener.connections$);
    const tcp = await connectRaw(listener.address.port);
    await startTls(tcp, 'c2s', to);
    const tls = await secureRaw(tcp, servername === undefined ? { servername: '' } : { servername });
    expect(tls.getPeerCertificate().subjectaltname).toBe(`DNS:${expected}`);
    expect((await accepted).security.sni).toBe(servername ?? null);
    tls.destroy();
  });

  test('[POL-02] a server name that is not served gets unrecognized_name', async () => {
    const { address } = await listen();
    const tcp = await connectRaw(address.port);
    await startTls(tcp);
    await expect(secureRaw(tcp, { servername: 'verona.example' })).rejects.toThrow(/SSL alert number 112/);
  });

  test.each([
    ['xmpp-client', 'xmpp-client'],
    ['xmpp-server', null],
    ['h2', null],
  ])('[POL-03] ALPN %s, where it is sent', async (protocol, selected) => {
    const { address } = await listen(['c2s', 's2s']);
    const tcp = await connectRaw(address.port);
    await startTls(tcp);
    const securing = secureRaw(tcp, { servername: DOMAIN, ALPNProtocols: [protocol] });
    if (selected === null) await expect(securing).rejects.toThrow(/SSL alert number 120/);
    else expect((await securing).alpnProtocol).toBe(selected);
    tcp.destroy();
  });

  test.each([
    ['a stanza', 'not-authorized', "<message to='juliet@capulet.example'><body>x</body></message>"],
    ['SASL', 'policy-violation', "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>"],
    ['an element of 70 KiB', 'policy-violation', `<x>${'y'.repeat(70 * 1_024)}</x>`],
    ['10 MiB of white space', 'policy-violation', ' '.repeat(10 * 1_024 * 1_024)],
  ])(
    '[STARTTLS-01] [STARTTLS-07] %s in clear text gets %s, and the connection ends',
    async (_title, condition, sent) => {
      const listener = await listen();
      const tcp = await connectRaw(listener.address.port);
      tcp.write(headerOf() + sent);
      const answer = await readToEnd(tcp);
      expect(answer).toMatch(new RegExp(`<stream:error><${condition} .*</stream:stream>$`, 's'));
      tcp.end();
      tcp.destroy();
      expect(listener.counters.failedHandshakes).toBe(1);
    },
  );

  test('[STARTTLS-06] a domain whose credential has gone since the header gets <failure/>, and the stream ends', async () => {
    const { transport, credentials } = await createTransport({ upgrade });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const tcp = await connectRaw(listener.address.port);
    tcp.write(headerOf());
    await readUntil(tcp, /<\/stream:features>/);
    credentials.replace([await issue(OTHER_DOMAIN)]);
    tcp.write(STARTTLS);
    expect(await readToEnd(tcp)).toBe("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
    tcp.destroy();
  });

  test('[STARTTLS-06] TLS that fails after <proceed/> ends without another byte in clear text', async () => {
    const { address } = await listen();
    const tcp = await connectRaw(address.port);
    await startTls(tcp);
    tcp.write('<message/></stream:stream>');
    expect(await readToEnd(tcp)).not.toContain('<');
    tcp.destroy();
  });
});

describe('bytes behind <starttls/>', () => {
  const injected = `<message xmlns='jabber:client' id='injected'/>`;
  const document = `${headerOf()}${STARTTLS}${injected}`;
  const border = document.length - injected.length;

  test('[STARTTLS-03] in one write, or cut anywhere: never read as XMPP, before or after TLS', async () => {
    const listener = await listen();
    let connections = 0;
    listener.connections$.subscribe(() => {
      connections += 1;
    });
    for (let at = 1; at <= document.length; at += 1) {
      const tcp = await connectRaw(listener.address.port);
      tcp.write(document.slice(0, at));
      // A second write in a turn of its own is most often a segment of its own; both ways have to be refused.
      if (at > border) await readUntil(tcp, /<\/stream:features>/).catch(() => '');
      else if (at === border) await readUntil(tcp, /<proceed /);
      tcp.write(document.slice(at));
      const answer = await readToEnd(tcp);
      if (at !== border) expect(answer).not.toContain('<proceed');
      expect(answer).not.toContain('<stream:error');
      tcp.destroy();
    }
    expect(connections).toBe(0);
  });

  test('[STARTTLS-03] a ClientHello that comes along ends without TLS', async () => {
    const { address } = await listen();
    const hello = await clientHello();
    const tcp = await connectRaw(address.port);
    tcp.write(Buffer.concat([Buffer.from(headerOf() + STARTTLS), hello]));
    expect(await readToEnd(tcp)).not.toContain('<proceed');
    tcp.destroy();
  });

  test.each([`${STARTTLS}\r\n`, STARTTLS.replace('/>', '></starttls>')])('[STARTTLS-03] %j works', async (starttls) => {
    const { address } = await listen();
    const tcp = await connectRaw(address.port);
    tcp.write(headerOf());
    await readUntil(tcp, /<\/stream:features>/);
    tcp.write(starttls);
    await readUntil(tcp, /<proceed /);
    const tls = await secureRaw(tcp, { servername: DOMAIN });
    expect(tls.getProtocol()).toBe('TLSv1.3');
    tls.destroy();
  });

  async function clientHello(): Promise<Buffer> {
    let tell: (bytes: Buffer) => void = () => undefined;
    const hello = new Promise<Buffer>((resolve) => {
      tell = resolve;
    });
    await using server = await serve((peer) => peer.once('data', tell));
    secureRaw(await connectRaw(server.port), { servername: DOMAIN }).catch(() => undefined);
    return await hello;
  }
});

describe('initiating entity', () => {
  const FEATURES = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>";
  const HEADER = headerOf().replace('to=', 'from=');

  /** Connects to a server that answers the header, then <starttls/>, as told; gives what went over the wire too. */
  async function against(first: string, second: string | null) {
    let received = '';
    let allRead: () => void = () => undefined;
    const read = new Promise<void>((resolve) => {
      allRead = resolve;
    });
    await using server = await serve(async (tcp) => {
      received += await readUntil(tcp, /<stream:stream [^>]*>/);
      tcp.write(first);
      received += await readUntil(tcp, /<starttls [^>]*>/).catch(() => '');
      if (second === null) tcp.end();
      else tcp.write(second);
      received += await readToEnd(tcp);
      allRead();
    });
    const { port } = server;
    const { transport } = await createTransport({ upgrade, domains: [], limits: { handshakeTimeoutMs: 500 } });
    const error = await transport.connect({ kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port }).then(
      () => Promise.reject(new Error('it has connected')),
      (refused: TransportError) => refused,
    );
    await read;
    expect(error.message).toContain(`${DOMAIN} (127.0.0.1 port ${port})`);
    return { error, received };
  }

  test.each([
    ['<failure/>', "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>", 'tls'],
    ['a stream error', '<stream:error/></stream:stream>', 'tls'],
    ['SASL', "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", 'tls'],
    ['the end of TCP', null, 'peer-reset'],
    ['nothing', '', 'timeout'],
    ['<proceed/> and rubbish later', `${PROCEED}`, 'timeout'],
  ])('[STARTTLS-02] %s is an error, and not a byte more goes out in clear text', async (title, second, category) => {
    const offers = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></stream:features>";
    const { error, received } = await against(HEADER + offers, second);
    expect(error.category).toBe(category);
    if (!title.startsWith('<proceed/>')) expect(received.endsWith(STARTTLS)).toBe(true);
  });

  test.each([
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></stream:features>",
    ' ',
    '\u0016\u0003\u0003',
  ])('[STARTTLS-04] %j behind <proceed/> in one packet is protocol; TLS does not begin', async (behind) => {
    const { error, received } = await against(HEADER + FEATURES, PROCEED + behind);
    expect(error.category).toBe('protocol');
    expect(received.endsWith(STARTTLS)).toBe(true);
  });

  test('[STARTTLS-04] what comes in clear text after the ClientHello is no record, and ends the handshake', async () => {
    await using server = await serve(async (tcp) => {
      tcp.write(HEADER + FEATURES);
      await readUntil(tcp, /<starttls [^>]*>/);
      tcp.write(PROCEED);
      await once(tcp, 'readable');
      tcp.write(FEATURES);
    });
    const { transport } = await createTransport({ upgrade, domains: [] });
    const connecting = transport.connect({ kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port: server.port });
    await expect(connecting).rejects.toMatchObject({ category: 'tls' });
  });

  test('[POL-04] [POL-02] sends SNI, and no ALPN', async () => {
    const { address } = await listen();
    const { transport } = await createTransport({ upgrade, domains: [] });
    const connection = await transport.connect(targetOf(address));
    expect(connection.security).toMatchObject({ sni: DOMAIN, alpn: null });
    connection.abort();
  });

  test('[TC-09] a listener of the other kind is alpn', async () => {
    const { address } = await listen(['s2s']);
    const { transport } = await createTransport({ upgrade, domains: [] });
    await expect(transport.connect(targetOf(address))).rejects.toMatchObject({ category: 'alpn' });
  });

  test('[STARTTLS-05] starttls under TLS is ignored in the features', async () => {
    const { cert, key } = await issue(DOMAIN);
    const secureContext = createSecureContext({ cert, key });
    await using server = await serve(async (tcp) => {
      tcp.write(HEADER + FEATURES);
      await readUntil(tcp, /<starttls [^>]*>/);
      tcp.write(PROCEED);
      const tls = new TLSSocket(tcp, { isServer: true, secureContext });
      tls.on('error', () => undefined);
      await readUntil(tls, /<stream:stream [^>]*>/);
      tls.end(`${HEADER}${FEATURES}</stream:stream>`);
    });
    const { transport } = await createTransport({ upgrade, domains: [] });
    const connection = await transport.connect({ kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port: server.port });
    const stream = await connection.openStream();
    const { stanzas } = collectTexts(stream);
    stream.sendHeader({ to: DOMAIN });
    expect(await stream.closed).toMatchObject({ clean: true });
    expect(stanzas).toHaveLength(1);
    expect(stanzas[0]).not.toContain('starttls');
  });
});
