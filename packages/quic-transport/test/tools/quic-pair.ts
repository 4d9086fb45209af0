import 'reflect-metadata';
import {
  type Connection,
  type ConnectionKind,
  type ConnectTarget,
  coreModule,
  LIMITS,
  type Limits,
  LOGGER,
  type Logger,
  type SocketAddress,
  type StanzaStream,
} from '@stanzaport/core';
import { createTestCa, type TestCa } from '@stanzaport/testing';
import {
  CERTIFICATE_POLICY,
  type CertificatePolicy,
  CREDENTIALS,
  type CredentialOptions,
  type CredentialStore,
  tlsModule,
} from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { firstValueFrom } from 'rxjs';
import type { NetworkWatch } from '../../src/endpoint/network-watch.ts';
import type { Engine } from '../../src/engine/port.ts';
import {
  QUIC_ENGINE,
  type QuicListener,
  type QuicOptions,
  QuicTransport,
  quicTransportModule,
} from '../../src/index.ts';

let sharedCa: Promise<TestCa> | undefined;

/** One CA for a test file: making keys takes time. */
export function testCa(): Promise<TestCa> {
  sharedCa ??= createTestCa();
  return sharedCa;
}

/** What a transport of a test is given. */
export interface QuicSetup {
  readonly limits?: Partial<Limits>;
  readonly options?: Partial<QuicOptions>;
  readonly logger?: Logger;
  /** Domains with a certificate each. */
  readonly domains?: readonly string[];
  readonly credentials?: readonly CredentialOptions[];
  readonly dangerAcceptAnyCertificate?: boolean;
  readonly networkWatch?: NetworkWatch;
}

export const DOMAIN = 'capulet.example';

/** A transport wired as an application would, with certificates of the test CA, which it also trusts. */
export async function createQuicTransport({
  limits,
  options = {},
  logger,
  domains = [DOMAIN],
  credentials = [],
  dangerAcceptAnyCertificate = false,
  networkWatch,
}: QuicSetup = {}): Promise<QuicTransport> {
  const ca = await testCa();
  const issued = await Promise.all(
    domains.map(async (domain) => {
      const { chainPem, keyPem } = await ca.issue({ dnsNames: [domain] });
      return { domain, cert: chainPem, key: keyPem };
    }),
  );
  const container = new Container();
  container.load(
    coreModule({ ...(limits === undefined ? {} : { limits }), ...(logger === undefined ? {} : { logger }) }),
    tlsModule({ credentials: [...issued, ...credentials], trust: [ca.rootPem], dangerAcceptAnyCertificate }),
    quicTransportModule(options),
  );
  if (networkWatch === undefined) return container.get(QuicTransport);
  const dependencies = {
    engine: container.get<Engine>(QUIC_ENGINE),
    credentials: container.get<CredentialStore>(CREDENTIALS),
    policy: container.get<CertificatePolicy>(CERTIFICATE_POLICY),
    limits: container.get<Limits>(LIMITS),
    logger: container.get<Logger>(LOGGER),
    networkWatch,
  };
  return new QuicTransport(dependencies, options);
}

export function targetOf(
  { address, port }: SocketAddress,
  kind: ConnectionKind = 'c2s',
  domain = DOMAIN,
): ConnectTarget {
  return { kind, domain, host: address, port };
}

/** A listener and a connection to it, both ends. */
export interface QuicPair extends AsyncDisposable {
  readonly listener: QuicListener;
  readonly server: Connection;
  readonly client: Connection;
}

export async function connectPair(
  serverSetup: QuicSetup = {},
  clientSetup: QuicSetup = {},
  kind: ConnectionKind = 'c2s',
): Promise<QuicPair> {
  const serverTransport = await createQuicTransport(serverSetup);
  const clientTransport = await createQuicTransport({ domains: [], ...clientSetup });
  const listener = await serverTransport.listen({ host: '127.0.0.1', port: 0, kinds: [kind] });
  const accepted = firstValueFrom(listener.connections$);
  const client = await clientTransport.connect(targetOf(listener.address, kind));
  const server = await accepted;
  return {
    listener,
    server,
    client,
    async [Symbol.asyncDispose]() {
      client.abort();
      await client.close();
      await listener.close({ drainMs: 0 });
    },
  };
}

/** One stanza stream, both ends, headers exchanged and the client authenticated. */
export interface StreamPair {
  readonly initiating: StanzaStream;
  readonly receiving: StanzaStream;
}

export async function openStreamPair({ client, server }: Pick<QuicPair, 'client' | 'server'>): Promise<StreamPair> {
  const initiating = await client.openStream();
  const arrived = firstValueFrom(server.streams$);
  initiating.sendHeader({ to: DOMAIN });
  const receiving = await arrived;
  await headerOf(receiving);
  receiving.sendHeader();
  receiving.markAuthenticated();
  await headerOf(initiating);
  return { initiating, receiving };
}

/** Takes the stream's next event, which has to be its header, and leaves the stream to another consumer. */
export async function headerOf(stream: StanzaStream): Promise<void> {
  for await (const event of stream.events()) {
    if (event.type !== 'header') throw new Error(`a header was expected, not ${event.type}`);
    return;
  }
}

/** What a stream gives from now on: source texts, and how it ends. */
export function collect(stream: StanzaStream): { readonly stanzas: string[]; readonly ended: Promise<string> } {
  const stanzas: string[] = [];
  const ended = new Promise<string>((resolve) => {
    stream.stanzas$.subscribe({
      next: (stanza) => stanzas.push(stanza.source),
      error: (error: { condition?: string; code: string }) => resolve(error.condition ?? error.code),
      complete: () => resolve('clean'),
    });
  });
  return { stanzas, ended };
}

/** A stream header as a client sends it. */
export const HEADER =
  `<?xml version='1.0'?><stream:stream to='${DOMAIN}' version='1.0' xmlns='jabber:client' ` +
  "xmlns:stream='http://etherx.jabber.org/streams'>";
