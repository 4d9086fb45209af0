import type { Connection, StanzaStream, TransportError } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import { ClientHelloPeek } from '../src/endpoint/client-hello.ts';
import type { ClientHello } from '../src/endpoint/client-hello-parser.ts';
import { parseLongHeader } from '../src/endpoint/packet-header.ts';
import type { QuicListener, QuicOptions, QuicTransport, SessionTicketStore } from '../src/index.ts';
import {
  collect,
  createQuicTransport,
  DOMAIN,
  HEADER,
  headerOf,
  openStreamPair,
  type QuicSetup,
  targetOf,
  testCa,
} from './tools/quic-pair.ts';
import { createRandom } from './tools/random.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';
import { UdpTap } from './tools/udp-tap.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server with one certificate for the life of the test, so that it can be started again. */
interface World {
  readonly server: QuicTransport;
  readonly listener: QuicListener;
  readonly client: QuicTransport;
  readonly tap: UdpTap;
}

const EARLY: Partial<QuicOptions> = { earlyData: true };

async function listen(server: QuicTransport, kind: 'c2s' | 's2s' = 'c2s'): Promise<QuicListener> {
  const listener = await server.listen({ host: '127.0.0.1', port: 0, kinds: [kind] });
  cleanups.push(() => listener.close({ drainMs: 0 }));
  return listener;
}

async function tapTo(listener: QuicListener): Promise<UdpTap> {
  const tap = await UdpTap.open(listener.address.port);
  cleanups.push(() => tap[Symbol.asyncDispose]());
  return tap;
}

async function connect(client: QuicTransport, port: number, kind: 'c2s' | 's2s' = 'c2s'): Promise<Connection> {
  const connection = await client.connect(targetOf({ family: 'IPv4', address: '127.0.0.1', port }, kind));
  cleanups.push(async () => {
    connection.abort();
    await connection.close();
  });
  return connection;
}

/** Connects once and talks, so that the client has a ticket; then that connection is over. */
async function fetchTicket(listener: QuicListener, client: QuicTransport, port: number): Promise<void> {
  const accepted = firstValueFrom(listener.connections$);
  const connection = await client.connect(targetOf({ family: 'IPv4', address: '127.0.0.1', port }));
  const server = await accepted;
  await openStreamPair({ client: connection, server });
  await Promise.all([connection.close(), server.close()]);
}

async function createWorld(server: QuicSetup = {}, client: QuicSetup = {}): Promise<World> {
  const serverTransport = await createQuicTransport({ ...server, options: { ...EARLY, ...server.options } });
  const clientTransport = await createQuicTransport({
    domains: [],
    ...client,
    options: { ...EARLY, ...client.options },
  });
  const listener = await listen(serverTransport);
  const tap = await tapTo(listener);
  await fetchTicket(listener, clientTransport, tap.port);
  return { server: serverTransport, listener, client: clientTransport, tap };
}

/** The next connection and its first stream, as the server's user sees them. */
async function nextStream(listener: QuicListener): Promise<StanzaStream> {
  const connection = await firstValueFrom(listener.connections$);
  return firstValueFrom(connection.streams$);
}

/** Everything the server's user is given from now on, in words. */
function watch(listener: QuicListener): { readonly events: string[]; readonly streams: StanzaStream[] } {
  const events: string[] = [];
  const streams: StanzaStream[] = [];
  listener.connections$.subscribe((connection) => {
    events.push('connection');
    void connection.handshakeCompleted.then((completed) => events.push(completed ? 'completed' : 'not completed'));
    connection.streams$.subscribe({
      next: (stream) => {
        streams.push(stream);
        stream.events$.subscribe({
          next: (event) => {
            events.push(event.type === 'header' && stream.early ? 'early header' : event.type);
            if (event.type === 'header') stream.sendHeader();
          },
          error: ({ code }: TransportError) => events.push(code),
        });
      },
      error: () => undefined,
    });
  });
  return { events, streams };
}

/** The ClientHello in a client's first datagrams: more than one where the ticket holds a certificate. */
function helloIn(datagrams: readonly Buffer[]): ClientHello {
  let peek: ClientHelloPeek | null = null;
  for (const datagram of datagrams) {
    const header = parseLongHeader(datagram);
    if (header?.type !== 'initial') continue;
    peek ??= new ClientHelloPeek(header.destinationConnectionId);
    const hello = peek.feed(datagram);
    if (typeof hello === 'object') return hello;
  }
  throw new Error('there is no ClientHello');
}

/** Talks once, so that the client has its ticket: it comes with the end of the handshake at the server. */
async function ticketOf(client: Connection, server: Connection): Promise<void> {
  const stream = await client.openStream();
  const arrived = firstValueFrom(server.streams$);
  stream.sendHeader({ to: DOMAIN, from: 'montague.example' });
  const receiving = await arrived;
  await headerOf(receiving);
  receiving.sendHeader();
  await headerOf(stream);
}

/** Resolves when `condition` holds, looked at on every turn of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** A raw client's session with the server, for a client that does not keep to our rules. */
async function rawSession(listener: QuicListener, beforeLeaving?: () => void): Promise<Uint8Array> {
  const { port } = listener.address;
  const first = await RawQuicClient.connect({ port, config: { earlyData: true } });
  await first.until(() => first.engine.session !== null);
  const session = first.engine.session as Uint8Array;
  beforeLeaving?.();
  await leave(first, listener);
  return session;
}

/** The first flight of a resumption with a header and an element in its early data, all of which has gone well. */
async function recordedFlight(listener: QuicListener, tap: UdpTap): Promise<readonly Buffer[]> {
  const session = await rawSession(listener);
  const raw = await RawQuicClient.start({ port: tap.port, session, config: { earlyData: true } });
  raw.write(0, `${HEADER}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>`);
  const flight = [...raw.sent];
  await raw.until(() => raw.engine.established);
  await leave(raw, listener);
  return flight;
}

/** Closes the connection, and is gone when the server has heard it. */
async function leave(client: RawQuicClient, listener: QuicListener): Promise<void> {
  client.engine.close(true, 0, '');
  client.flush();
  await until(() => listener.routeCount === 0);
  await client.stop();
}

describe('0-RTT', () => {
  test('[QT-16] [QT-17] [TC-10] the header leaves with the first datagram, and is answered before the handshake is complete', async () => {
    const { listener, client, tap } = await createWorld();
    const accepted = firstValueFrom(listener.connections$);
    tap.hold('to-client');
    const before = tap.seen['to-server'].length;
    const connection = await connect(client, tap.port);
    expect(connection.security).toMatchObject({ earlyData: 'pending', resumed: null, verdict: null, alpn: null });
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    const serverConnection = await accepted;
    const serverStream = await firstValueFrom(serverConnection.streams$);
    await headerOf(serverStream);
    expect(tap.seen['to-server'].length - before).toBe(1);
    expect(serverStream.early).toBe(true);
    expect(serverConnection.security).toMatchObject({ earlyData: 'accepted', resumed: true, alpn: 'xmpp-client' });
    serverStream.sendHeader();
    tap.release('to-client');
    expect(await Promise.all([connection.handshakeCompleted, serverConnection.handshakeCompleted])).toEqual([
      true,
      true,
    ]);
    await headerOf(stream);
    expect(stream.early).toBe(false);
    for (const { security } of [connection, serverConnection]) {
      expect(security).toMatchObject({ earlyData: 'accepted', resumed: true, alpn: 'xmpp-client', sni: DOMAIN });
    }
    expect(connection.security.verdict).toMatchObject({ verified: true, domain: DOMAIN });
    expect(connection.security.peerCertificates.length).toBeGreaterThan(0);
  });

  test('[QT-17] what follows the header waits for the handshake, and arrives once and in order', async () => {
    const { listener, client, tap } = await createWorld();
    const arriving = nextStream(listener);
    tap.hold('to-client');
    const connection = await connect(client, tap.port);
    const streams = [await connection.openStream(), await connection.openStream()] as const;
    for (const stream of streams) {
      stream.sendHeader({ to: DOMAIN });
      for (const id of ['1', '2', '3']) stream.send(`<message id='${id}'/>`);
    }
    const receiving = await arriving;
    receiving.markAuthenticated();
    await headerOf(receiving);
    expect(streams[0].queuedBytes).toBe(3 * "<message id='1'/>".length);
    const { stanzas } = collect(receiving);
    await until(() => tap.seen['to-client'].length > 1);
    expect(stanzas).toEqual([]);
    tap.release('to-client');
    await until(() => stanzas.length === 3);
    expect(stanzas).toEqual(["<message id='1'/>", "<message id='2'/>", "<message id='3'/>"]);
  });

  test('[QT-16] what a client sends early behind its headers reaches the user when the handshake is complete', async () => {
    const { listener } = await createWorld();
    const session = await rawSession(listener);
    const { events } = watch(listener);
    const raw = await RawQuicClient.start({ port: listener.address.port, session, config: { earlyData: true } });
    cleanups.push(() => raw.stop());
    const arrived: Buffer[] = [];
    raw.onDatagram = (datagram) => arrived.push(datagram);
    raw.write(0, `${HEADER}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>`);
    raw.write(4, `${HEADER}<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/></stream:stream>`, true);
    await until(() => events.filter((event) => event === 'early header').length === 2 && arrived.length > 1);
    expect(events).toEqual(['connection', 'early header', 'early header']);
    expect(listener.pendingHandshakes(null)).toBe(1);
    raw.onDatagram = null;
    for (const datagram of arrived) raw.receive(datagram);
    await until(() => events.filter((event) => event === 'stanza').length === 2);
    expect(events.slice(3)).toEqual(expect.arrayContaining(['completed', 'stanza', 'stanza']));
    expect(raw.text(0)).toMatch(/<stream:stream/);
    expect(listener.pendingHandshakes(null)).toBe(0);
  });

  test('[QT-16] a first flight that is replayed ten times leads to headers, and to nothing else', async () => {
    const { listener } = await createWorld({ limits: { handshakeTimeoutMs: 150 } });
    const tap = await tapTo(listener);
    const flight = await recordedFlight(listener, tap);
    const failed = listener.counters.failedHandshakes;
    const { events, streams } = watch(listener);
    for (let round = 1; round <= 10; round++) {
      for (const datagram of flight) tap.send('to-server', datagram);
      await until(() => events.filter((event) => event === 'early header').length === round);
      await until(() => listener.routeCount === 0);
    }
    const round = ['connection', 'early header', 'XMPP_HANDSHAKE_TIMEOUT', 'not completed'];
    expect(events.toSorted()).toEqual(
      Array.from({ length: 10 }, () => round)
        .flat()
        .toSorted(),
    );
    expect(streams.every(({ early }) => early)).toBe(true);
    expect(listener.counters.failedHandshakes - failed).toBe(10);
    expect([listener.pendingHandshakes(null), listener.connectionCount]).toEqual([0, 0]);
  });

  test('[QT-16] ten copies of one first flight are one connection, which counts as an unfinished handshake', async () => {
    const { listener } = await createWorld();
    const tap = await tapTo(listener);
    const flight = await recordedFlight(listener, tap);
    const { admitted, received } = listener.counters;
    const { events } = watch(listener);
    for (let copy = 0; copy < 10; copy++) for (const datagram of flight) tap.send('to-server', datagram);
    await until(() => listener.counters.received === received + 10 * flight.length);
    await until(() => events.includes('early header'));
    expect(events).toEqual(['connection', 'early header']);
    expect(listener.counters.admitted).toBe(admitted + 1);
    expect([listener.pendingHandshakes(null), listener.connectionCount]).toEqual([1, 0]);
  });

  test('[QT-16] [QT-02] before the handshake is complete an answer is at most three times what came', async () => {
    const { listener } = await createWorld({ limits: { handshakeTimeoutMs: 1_000 } });
    const session = await rawSession(listener);
    const arriving = nextStream(listener);
    const tap = await tapTo(listener);
    const raw = await RawQuicClient.start({ port: tap.port, session, config: { earlyData: true } });
    cleanups.push(() => raw.stop());
    raw.onDatagram = () => undefined;
    raw.write(0, HEADER);
    const stream = await arriving;
    await headerOf(stream);
    stream.sendHeader();
    stream.send(`<features xmlns='http://etherx.jabber.org/streams'>${'x'.repeat(50_000)}</features>`);
    await until(() => tap.seen['to-client'].length >= 2);
    // Time for whatever the engine's probes would add.
    const { closed } = stream.connection;
    raw.vanish();
    await closed;
    const bytes = (datagrams: readonly Buffer[]): number => datagrams.reduce((sum, { length }) => sum + length, 0);
    expect(bytes(tap.seen['to-client'])).toBeLessThanOrEqual(3 * bytes(tap.seen['to-server']));
  });

  test('[QT-17] refused as the ticket cannot be opened: one header arrives, the stream works', async () => {
    const { server, listener, client, tap } = await createWorld();
    server.replaceTicketKeys([Buffer.alloc(48, 1)]);
    const before = tap.seen['to-server'].length;
    const { events } = watch(listener);
    const connection = await connect(client, tap.port);
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    stream.send("<proceed xmlns='urn:example'/>");
    expect(await connection.handshakeCompleted).toBe(true);
    expect(helloIn(tap.seen['to-server'].slice(before)).hasEarlyData).toBe(true);
    expect(connection.security).toMatchObject({ earlyData: 'rejected', resumed: false, verdict: { verified: true } });
    await until(() => events.includes('stanza'));
    expect(events).toEqual(['connection', 'completed', 'header', 'stanza']);
    await headerOf(stream);
  });

  test('[QT-17] refused by a server that has switched it off: one header arrives, the session is resumed', async () => {
    const { chainPem, keyPem } = await (await testCa()).issue({ dnsNames: [DOMAIN] });
    const credentials = [{ domain: DOMAIN, cert: chainPem, key: keyPem }];
    const ticketKeys = [Buffer.alloc(48, 1)];
    const { client, tap } = await createWorld({ domains: [], credentials, options: { ticketKeys } });
    const other = await createQuicTransport({ domains: [], credentials, options: { ticketKeys } });
    const listener = await listen(other);
    const { events } = watch(listener);
    const connection = await connect(client, listener.address.port);
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    expect(await connection.handshakeCompleted).toBe(true);
    expect(connection.security).toMatchObject({ earlyData: 'rejected', resumed: true, verdict: { verified: true } });
    await headerOf(stream);
    expect(events).toEqual(['connection', 'completed', 'header']);
    expect(tap.seen['to-server'].length).toBeGreaterThan(0);
  });

  test('[QT-17] [CERT-01] somebody else answers: CertificateError everywhere, and nothing behind the header reaches him', async () => {
    const { client } = await createWorld();
    const { chainPem, keyPem } = await (await testCa()).issue({ dnsNames: ['mallory.example'] });
    const impostor = await createQuicTransport({
      domains: [],
      credentials: [{ domain: DOMAIN, cert: chainPem, key: keyPem }],
    });
    const listener = await listen(impostor);
    const { events } = watch(listener);
    const connection = await connect(client, listener.address.port);
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    stream.send('<secret/>');
    expect(await connection.handshakeCompleted).toBe(false);
    expect((await connection.closed).error).toMatchObject({
      code: 'XMPP_CERTIFICATE_REFUSED',
      reason: 'name-mismatch',
    });
    expect((await stream.closed).error).toMatchObject({ code: 'XMPP_CERTIFICATE_REFUSED' });
    await until(() => listener.connectionCount === 0 && listener.pendingHandshakes(null) === 0);
    expect(events.filter((event) => event === 'header' || event === 'stanza')).toEqual([]);
  });

  test('[QT-17] nobody answers: connect() is past, the streams end with the error', async () => {
    const { listener, client, tap } = await createWorld();
    const { port } = listener.address;
    await listener.close({ drainMs: 0 });
    expect(tap.port).not.toBe(port);
    const connection = await connect(client, port);
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    stream.send('<message/>');
    expect(await connection.handshakeCompleted).toBe(false);
    expect((await stream.closed).error).toMatchObject({ code: 'XMPP_REFUSED' });
    await expect(connection.openStream()).rejects.toMatchObject({ code: 'XMPP_INVALID_STATE' });
    // The ticket is used up: the next attempt is an ordinary one.
    await expect(connect(client, port)).rejects.toMatchObject({ code: 'XMPP_REFUSED' });
  });

  test('[QT-02] [QT-17] through a Retry: one header arrives', async () => {
    const { listener, client, tap } = await createWorld({ options: { retry: 'always' } });
    const { events } = watch(listener);
    const connection = await connect(client, tap.port);
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    await headerOf(stream);
    expect(connection.security).toMatchObject({ earlyData: 'accepted', resumed: true });
    expect(events.filter((event) => event.endsWith('header'))).toHaveLength(1);
    expect(listener.counters.retried).toBe(2);
  });

  test('[QT-16] the first packets are lost: one header arrives', async () => {
    const { listener, client, tap } = await createWorld();
    const { events } = watch(listener);
    tap.hold('to-server');
    const connection = await connect(client, tap.port);
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    const before = tap.seen['to-server'].length;
    await until(() => tap.seen['to-server'].length > before);
    tap.release('to-server', 'is-lost');
    await headerOf(stream);
    expect(events.filter((event) => event.endsWith('header'))).toHaveLength(1);
  });

  test('[QT-16] off at the server: its tickets allow no early data', async () => {
    const { listener, client, tap } = await createWorld({ options: { earlyData: false } });
    const before = tap.seen['to-server'].length;
    const connection = await connect(client, tap.port);
    expect(helloIn(tap.seen['to-server'].slice(before))).toMatchObject({ hasEarlyData: false });
    expect(connection.security).toMatchObject({ earlyData: 'none', resumed: true });
    const server = await firstValueFrom(listener.connections$);
    expect(server.security).toMatchObject({ earlyData: 'none', resumed: true });
    expect(await Promise.all([connection.handshakeCompleted, server.handshakeCompleted])).toEqual([true, true]);
  });

  test('[QT-16] s2s never: a session is resumed without early data, and the certificates are known on both sides', async () => {
    const ca = await testCa();
    const { chainPem, keyPem } = await ca.issue({ dnsNames: ['montague.example'] });
    const server = await createQuicTransport({ options: EARLY });
    const own = [{ domain: 'montague.example', cert: chainPem, key: keyPem }];
    const client = await createQuicTransport({ domains: [], credentials: own, options: EARLY });
    const listener = await listen(server, 's2s');
    const tap = await tapTo(listener);
    const target = {
      ...targetOf({ family: 'IPv4', address: '127.0.0.1', port: tap.port }, 's2s'),
      localDomain: 'montague.example',
    };
    for (const resumed of [false, true]) {
      const accepted = firstValueFrom(listener.connections$);
      const before = tap.seen['to-server'].length;
      const connection = await client.connect(target);
      const serverConnection = await accepted;
      expect(helloIn(tap.seen['to-server'].slice(before)).hasEarlyData).toBe(false);
      for (const { security } of [connection, serverConnection]) {
        expect(security).toMatchObject({ resumed, earlyData: 'none' });
        expect(security.peerCertificates.length).toBeGreaterThan(0);
      }
      const question = { domain: 'montague.example', purpose: 's2s-client' } as const;
      expect(serverConnection.security.verify(question)).toMatchObject({ verified: true });
      await ticketOf(connection, serverConnection);
      await Promise.all([connection.close(), serverConnection.close()]);
    }
  });

  test('[QT-16] a rotated ticket key resumes and hands over to the new one; a dropped one leads to a full handshake', async () => {
    const [old, current, next] = [1, 2, 3].map((seed) => Buffer.alloc(48, seed)) as [Buffer, Buffer, Buffer];
    const { server, listener, client, tap } = await createWorld({ options: { ticketKeys: [old], earlyData: false } });
    const resumes = async (): Promise<boolean | null> => {
      const accepted = firstValueFrom(listener.connections$);
      const connection = await client.connect(targetOf({ family: 'IPv4', address: '127.0.0.1', port: tap.port }));
      const serverConnection = await accepted;
      await openStreamPair({ client: connection, server: serverConnection });
      await Promise.all([connection.close(), serverConnection.close()]);
      expect(serverConnection.security.resumed).toBe(connection.security.resumed);
      return connection.security.resumed;
    };
    server.replaceTicketKeys([current, old]);
    expect(await resumes()).toBe(true);
    server.replaceTicketKeys([current]);
    expect(await resumes()).toBe(true);
    server.replaceTicketKeys([next]);
    expect(await resumes()).toBe(false);
    expect(await resumes()).toBe(true);
    expect(() => server.replaceTicketKeys([])).toThrow('0 keys');
    expect(() => server.replaceTicketKeys([Buffer.alloc(47)])).toThrow('47 bytes');
  });

  test('[QT-16] a ticket of one domain is not offered to another, and not taken by another', async () => {
    const domains = [DOMAIN, 'montague.example'];
    const { chainPem, keyPem } = await (await testCa()).issue({ dnsNames: domains });
    const credentials = domains.map((domain) => ({ domain, cert: chainPem, key: keyPem }));
    const { listener, client, tap } = await createWorld({ domains: [], credentials });
    const address = { family: 'IPv4', address: '127.0.0.1', port: tap.port } as const;
    const before = tap.seen['to-server'].length;
    const connection = await client.connect(targetOf(address, 'c2s', 'montague.example'));
    cleanups.push(async () => connection.abort());
    expect(helloIn(tap.seen['to-server'].slice(before)).ticket).toBe(null);
    expect(connection.security.resumed).toBe(false);
    const session = await rawSession(listener, () => connection.abort());
    for (const [serverName, resumed] of [
      ['montague.example', false],
      [DOMAIN, true],
    ] as const) {
      const raw = await RawQuicClient.connect({
        ...address,
        port: tap.port,
        host: address.address,
        serverName,
        session,
      });
      expect(raw.engine.resumed).toBe(resumed);
      await leave(raw, listener);
    }
  });

  test('[QT-16] a replaced certificate is not hidden by a resumption', async () => {
    const { chainPem, keyPem } = await (await testCa()).issue({ dnsNames: [DOMAIN] });
    const ticketKeys = [Buffer.alloc(48, 1)];
    const { client } = await createWorld({ options: { ticketKeys } });
    const renewed = await createQuicTransport({
      domains: [],
      credentials: [{ domain: DOMAIN, cert: chainPem, key: keyPem }],
      options: { ...EARLY, ticketKeys },
    });
    const listener = await listen(renewed);
    const connection = await connect(client, listener.address.port);
    expect(await connection.handshakeCompleted).toBe(true);
    expect(connection.security).toMatchObject({ resumed: false, earlyData: 'rejected' });
  });

  test('[QT-17] tickets that a store has garbled are not offered; one that fails is no obstacle', async () => {
    const random = createRandom(17);
    const kept: Uint8Array[] = [];
    const garbler: SessionTicketStore = {
      take: () => {
        const ticket = kept.pop();
        if (ticket === undefined) throw new Error('the disk is gone');
        const garbled = Buffer.from(ticket);
        const at = random.below(garbled.length);
        garbled[at] = (garbled[at] as number) ^ (1 + random.below(255));
        return random.below(4) === 0 ? garbled.subarray(0, at) : garbled;
      },
      put: async (_scope, ticket) => {
        kept.push(ticket);
      },
    };
    const { listener, client, tap } = await createWorld({}, { options: { sessionTickets: garbler } });
    expect(kept).toHaveLength(1);
    for (let round = 0; round < 20; round++) {
      if (round === 10) kept.length = 0;
      const before = tap.seen['to-server'].length;
      const accepted = firstValueFrom(listener.connections$);
      const connection = await client.connect(targetOf({ family: 'IPv4', address: '127.0.0.1', port: tap.port }));
      const server = await accepted;
      expect(helloIn(tap.seen['to-server'].slice(before))).toMatchObject({ ticket: null, hasEarlyData: false });
      expect(connection.security).toMatchObject({ resumed: false, earlyData: 'none', verdict: { verified: true } });
      await openStreamPair({ client: connection, server });
      await Promise.all([connection.close(), server.close()]);
    }
  });

  test('[QT-16] [TC-11] a listener that closes in the middle of it leaves nothing behind', async () => {
    const { listener, client, tap } = await createWorld();
    const { events } = watch(listener);
    tap.hold('to-client');
    const connection = await connect(client, tap.port);
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    await until(() => events.includes('early header'));
    await listener.close({ drainMs: 50 });
    expect([listener.routeCount, listener.connectionCount, listener.pendingHandshakes(null)]).toEqual([0, 0, 0]);
    expect(events).toEqual(expect.arrayContaining(['not completed']));
    tap.release('to-client');
    expect((await stream.closed).clean).toBe(false);
  });

  test('[QT-17] a stream and a connection that are closed early end in order', async () => {
    const { listener, client, tap } = await createWorld();
    const { events } = watch(listener);
    tap.hold('to-client');
    const connection = await connect(client, tap.port);
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    const { ended } = collect(stream);
    const closing = connection.close();
    await until(() => events.includes('early header'));
    tap.release('to-client');
    await closing;
    expect(await ended).toBe('clean');
    expect(await connection.closed).toMatchObject({ clean: true });
    await until(() => events.includes('close'));
    expect(events.filter((event) => event !== 'completed')).toEqual(['connection', 'early header', 'close']);
  });
});
