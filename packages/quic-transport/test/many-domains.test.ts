import 'reflect-metadata';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, coreModule, type SocketAddress, type StanzaStream } from '@stanzaport/core';
import { type PemFiles, type TestCredential, writePemFiles } from '@stanzaport/testing';
import {
  CREDENTIALS,
  type CredentialOptions,
  type CredentialReload,
  type CredentialStore,
  tlsModule,
} from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { filter, firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseLongHeader } from '../src/endpoint/packet-header.ts';
import { type QuicListener, type QuicOptions, QuicTransport, quicTransportModule } from '../src/index.ts';
import { collect, createQuicTransport, DOMAIN, headerOf, targetOf, testCa } from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';

const ca = await testCa();
const client = await createQuicTransport({ domains: [] });
let folder: string;
const ended: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stanzaport-'));
});
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
  await rm(folder, { recursive: true });
});

interface Wiring {
  readonly transport: QuicTransport;
  readonly credentials: CredentialStore;
}

/** As an application would wire it, with files of credentials that are watched. */
function wire(credentials: readonly CredentialOptions[], options: Partial<QuicOptions> = {}): Wiring {
  const container = new Container();
  container.load(
    // All domains are asked for at once here, from one address.
    coreModule({ limits: { maxPendingHandshakesPerAddress: 100 } }),
    tlsModule({ credentials, watch: { intervalMs: 5 }, trust: [ca.rootPem] }),
    quicTransportModule(options),
  );
  ended.push(() => container.unbindAll());
  return {
    transport: container.get(QuicTransport),
    credentials: container.get<CredentialStore>(CREDENTIALS),
  };
}

async function listen({ transport }: Wiring, kinds: readonly ('c2s' | 's2s')[] = ['c2s']): Promise<QuicListener> {
  const listener = await transport.listen({ host: '127.0.0.1', port: 0, kinds });
  ended.push(() => listener.close({ drainMs: 0 }));
  return listener;
}

async function connect(address: SocketAddress, domain = DOMAIN): Promise<Connection> {
  const connection = await client.connect(targetOf(address, 'c2s', domain));
  ended.push(() => connection.abort());
  return connection;
}

const leafOf = ({ security }: Connection): string | undefined => hexOf(security.peerCertificates[0]);
const hex = ({ der }: TestCredential): string | undefined => hexOf(der);
const hexOf = (der: Uint8Array | undefined): string | undefined => der && Buffer.from(der).toString('hex');

/** Puts new files in the place of the old ones, and waits for what becomes of it. */
async function renew(
  { credentials }: Wiring,
  files: PemFiles,
  { chainPem, keyPem }: TestCredential,
  type: CredentialReload['type'] = 'replaced',
): Promise<CredentialReload> {
  const reloaded = firstValueFrom(credentials.reloads$.pipe(filter((reload) => reload.type === type)));
  for (const [path, text] of [
    [files.cert, chainPem],
    [files.key, keyPem],
  ] as const) {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
  return reloaded;
}

/** Answers every stanza of every stream with itself. @returns the connections that came, in their order. */
function echo(listener: QuicListener): readonly Connection[] {
  const connections: Connection[] = [];
  listener.connections$.subscribe((connection) => {
    connections.push(connection);
    connection.streams$.subscribe({ next: (stream) => void echoOn(stream), error: () => undefined });
  });
  return connections;
}

async function echoOn(stream: StanzaStream): Promise<void> {
  try {
    for await (const event of stream.events()) {
      if (event.type === 'header') {
        stream.sendHeader();
        stream.markAuthenticated();
      }
      if (event.type === 'stanza') stream.send(event.stanza.source);
    }
  } catch {
    // The client leaves without a word when the test is over.
  }
}

/** Sends numbered stanzas without a pause, some always on their way, and expects each back in its turn. */
class Talk {
  readonly connection: Connection;
  readonly #stream: StanzaStream;
  #sent = 0;
  #received = 0;
  #stopping = false;
  readonly #ended: Promise<number>;
  readonly #watchers = new Set<() => void>();

  private constructor(connection: Connection, stream: StanzaStream) {
    this.connection = connection;
    this.#stream = stream;
    this.#ended = this.#listen();
    for (let count = 0; count < 5; count++) this.#send();
  }

  static async start(connection: Connection): Promise<Talk> {
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    await headerOf(stream);
    return new Talk(connection, stream);
  }

  /** Resolves when a stanza that is not yet sent has come back. */
  async progress(): Promise<void> {
    const goal = this.#sent + 1;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.#received < goal) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
    });
  }

  /** @returns how many stanzas were sent, all of which have come back; rejects where one was lost, doubled or moved. */
  async stop(): Promise<number> {
    this.#stopping = true;
    return this.#ended;
  }

  #send(): void {
    this.#sent += 1;
    this.#stream.send(`<message id='${this.#sent}'/>`);
  }

  async #listen(): Promise<number> {
    for await (const event of this.#stream.events()) {
      this.#received += 1;
      const expected = `<message id='${this.#received}'/>`;
      if (event.type !== 'stanza' || event.stanza.source !== expected) throw new Error(`${expected} did not come`);
      if (!this.#stopping) this.#send();
      for (const look of this.#watchers) look();
      if (this.#received === this.#sent) return this.#sent;
    }
    throw new Error('the stream has ended');
  }
}

describe('certificates replaced while running', () => {
  test('[CERT-24] under load: 20 conversations, 5 certificates, nothing lost, and new ones see the new one', async () => {
    const [first, ...later] = await Promise.all(Array.from({ length: 6 }, () => ca.issue({ dnsNames: [DOMAIN] })));
    const files = await writePemFiles(folder, 'capulet', first as TestCredential);
    const wiring = wire([files]);
    const listener = await listen(wiring);
    const accepted = echo(listener);
    const talks: Talk[] = [];
    for (let count = 0; count < 20; count++) talks.push(await Talk.start(await connect(listener.address)));

    const seen: (string | undefined)[] = [];
    for (const credential of later) {
      await Promise.all([renew(wiring, files, credential), ...talks.map((talk) => talk.progress())]);
      const fresh = await connect(listener.address);
      seen.push(leafOf(fresh));
      const talk = await Talk.start(fresh);
      await Promise.all([...talks, talk].map((each) => each.progress()));
      expect(await talk.stop()).toBeGreaterThan(5);
    }
    expect(seen).toEqual(later.map(hex));

    // What stood before knows of nothing: the same facts, for streams that are opened now as well.
    const old = hex(first as TestCredential);
    for (const { connection } of talks) {
      expect(leafOf(connection)).toBe(old);
      expect(connection.security.verdict).toMatchObject({ verified: true, matched: `dns:${DOMAIN}` });
      const stream = await connection.openStream();
      stream.sendHeader({ to: DOMAIN });
      await headerOf(stream);
      expect(stream.connection.security).toBe(connection.security);
    }
    const presented = accepted.map(({ security }) => hexOf(security.localCertificates[0]));
    expect(presented).toEqual([...Array.from({ length: 20 }, () => old), ...later.map(hex)]);

    const exchanged = await Promise.all(talks.map((talk) => talk.stop()));
    expect(Math.min(...exchanged)).toBeGreaterThan(2 * later.length);
  });

  test('[POL-02] [CERT-24] a domain that is taken away is refused, one that is added is served', async () => {
    const added = 'montague.example';
    const files = await writePemFiles(folder, 'capulet', await ca.issue({ dnsNames: [DOMAIN] }));
    const wiring = wire([files]);
    const listener = await listen(wiring);
    echo(listener);
    const talk = await Talk.start(await connect(listener.address));
    await expect(connect(listener.address, added)).rejects.toMatchObject({ alert: 112, quicCode: 0x0170 });

    await renew(wiring, files, await ca.issue({ dnsNames: [DOMAIN, added] }));
    expect((await connect(listener.address, added)).security.verdict).toMatchObject({ matched: `dns:${added}` });
    await renew(wiring, files, await ca.issue({ dnsNames: [added] }));
    await expect(connect(listener.address)).rejects.toMatchObject({ alert: 112, quicCode: 0x0170 });

    // A stream that stands goes on; a new one to a domain that is no longer served has nowhere to go.
    await talk.progress();
    const late = await talk.connection.openStream();
    late.sendHeader({ to: DOMAIN });
    expect(await collect(late).ended).toBe('host-unknown');
    expect(await talk.stop()).toBeGreaterThan(5);
  });

  test('[CERT-24] a certificate that the engine does not take: the old one stays, until a good one comes', async () => {
    const good = await ca.issue({ dnsNames: [DOMAIN] });
    // Node.js takes such a key and the engine's TLS stack has no Ed448.
    const unusable = await ca.issue({ dnsNames: [DOMAIN], keyAlgorithm: 'ed448' });
    const files = await writePemFiles(folder, 'capulet', good);
    const wiring = wire([{ ...files, domain: DOMAIN }]);
    const listener = await listen(wiring);
    const kept = await renew(wiring, files, unusable, 'kept');
    // Where the certificate was seen before its key, that was told first.
    expect(kept).toMatchObject({ error: { code: 'XMPP_BAD_CREDENTIAL' } });
    const [reload] = wiring.credentials.reload();
    expect(reload).toMatchObject({ type: 'kept', error: { message: expect.stringContaining('QUIC') } });
    expect(leafOf(await connect(listener.address))).toBe(hex(good));
    const better = await ca.issue({ dnsNames: [DOMAIN] });
    await renew(wiring, files, better);
    expect(leafOf(await connect(listener.address))).toBe(hex(better));
    expect(listener.counters).toMatchObject({ refused: 0, failedHandshakes: 0 });
    // Without a listener nobody minds.
    await listener.close();
    expect(await renew(wiring, files, unusable)).toMatchObject({ type: 'replaced' });
  });

  test('[CERT-20] [CERT-24] a server that connects to another presents the new one from then on', async () => {
    const files = await writePemFiles(folder, 'montague', await ca.issue({ dnsNames: ['montague.example'] }));
    const initiating = wire([files]);
    const receiving = wire([{ ...(await writePemFiles(folder, 'capulet', await ca.issue({ dnsNames: [DOMAIN] }))) }]);
    const listener = await listen(receiving, ['s2s']);
    const arrive = async (): Promise<Connection> => {
      const target = { ...targetOf(listener.address, 's2s'), localDomain: 'montague.example' };
      const [accepted, connection] = await Promise.all([
        firstValueFrom(listener.connections$),
        initiating.transport.connect(target),
      ]);
      ended.push(() => connection.abort());
      return accepted;
    };
    const before = await arrive();
    const facts = leafOf(before);
    const renewed = await ca.issue({ dnsNames: ['montague.example'] });
    await renew(initiating, files, renewed);
    const after = await arrive();
    expect(leafOf(after)).toBe(hex(renewed));
    expect(after.security.verify({ domain: 'montague.example', purpose: 's2s-client' }).verified).toBe(true);
    expect(leafOf(before)).toBe(facts);
    expect(facts).not.toBe(hex(renewed));
  });
});

describe('many domains on one socket', () => {
  const names = Array.from({ length: 50 }, (_, index) => `d${index}.example`);
  const byName = new Map<string, TestCredential>();
  let listener: QuicListener;

  beforeEach(async () => {
    for (const name of [...names, '*.wild.example', 'own.wild.example']) {
      if (!byName.has(name)) byName.set(name, await ca.issue({ dnsNames: [name] }));
    }
    const credentials = [...byName.values()].map(({ chainPem, keyPem }) => ({ cert: chainPem, key: keyPem }));
    listener = await listen(wire(credentials));
  });

  const expectedFor = (name: string): string | undefined =>
    hex(byName.get(byName.has(name) ? name : '*.wild.example') as TestCredential);

  test('[CERT-25] 50 domains and a wildcard, each with its own certificate, all at once', async () => {
    const asked = [...names, 'any.wild.example', 'other.wild.example', 'own.wild.example'];
    const connections = await Promise.all(asked.map((name) => connect(listener.address, name)));
    expect(connections.map(leafOf)).toEqual(asked.map(expectedFor));
    expect(connections.every(({ security }) => security.verdict?.verified)).toBe(true);
    for (const name of ['d50.example', 'wild.example', 'a.b.wild.example', 'example']) {
      await expect(connect(listener.address, name)).rejects.toMatchObject({ quicCode: 0x0170 });
    }
  });

  /** So many protocols that the hello of the engine itself fills more than one datagram. */
  const alpn = [...Array.from({ length: 7 }, (_, index) => `${index}`.repeat(200)), 'xmpp-client'];

  test('[CERT-25] [Q-08] also where the ClientHello takes several Initial packets', async () => {
    const asked = [...names.slice(0, 8), 'any.wild.example'];
    const clients = await Promise.all(
      asked.map((serverName) => RawQuicClient.connect({ port: listener.address.port, serverName, config: { alpn } })),
    );
    ended.push(() => Promise.all(clients.map((each) => each.stop())));
    for (const { sent } of clients) expect(sent.slice(0, 2).map(typeOf)).toEqual(['initial', 'initial']);
    expect(clients.map(({ engine }) => engine.alpn)).toEqual(asked.map(() => 'xmpp-client'));
    expect(clients.map(({ engine }) => hexOf(engine.peerCertificates()[0]))).toEqual(asked.map(expectedFor));
    expect(listener.counters).toMatchObject({ admitted: asked.length, unreadable: 0, refused: 0 });
  });

  test('[CERT-25] [Q-08] and where these come in the wrong order', async () => {
    const port = await startSwappingRelay(listener.address.port);
    const raw = await RawQuicClient.connect({ port, serverName: 'd7.example', config: { alpn } });
    ended.push(() => raw.stop());
    expect(hexOf(raw.engine.peerCertificates()[0])).toBe(expectedFor('d7.example'));
    expect(listener.counters).toMatchObject({ admitted: 1, unreadable: 0 });
  });

  test('[POL-02] a name that is not served is refused, in however many packets it comes', async () => {
    const raw = await RawQuicClient.start({
      port: listener.address.port,
      serverName: 'verona.example',
      config: { alpn },
    });
    ended.push(() => raw.stop());
    await raw.until(() => raw.engine.draining || raw.engine.closed);
    expect(raw.engine.peerError).toMatchObject({ application: false, code: 0x0170 });
    expect(listener.counters).toMatchObject({ admitted: 0, refused: 1 });
    expect(listener.routeCount).toBe(0);
  });
});

const typeOf = (datagram: Buffer): string | undefined => parseLongHeader(datagram)?.type;

/** Forwards for one client, and its second datagram before the first. */
async function startSwappingRelay(port: number): Promise<number> {
  const [near, far] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')];
  for (const socket of [near, far]) {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    ended.push(() => socket.close());
  }
  let held: Buffer | null = null;
  let count = 0;
  near.on('message', (datagram, { port: clientPort }) => {
    count += 1;
    if (count === 1) {
      held = datagram;
      far.on('message', (answer) => near.send(answer, clientPort, '127.0.0.1'));
      return;
    }
    far.send(datagram, port, '127.0.0.1');
    if (held !== null) far.send(held, port, '127.0.0.1');
    held = null;
  });
  return near.address().port;
}
