import 'reflect-metadata';
import {
  type Connection,
  type ConnectionKind,
  type ConnectTarget,
  coreModule,
  type Limits,
  type Logger,
  type SocketAddress,
} from '@stanzaport/core';
import { createTestCa, type TestCa } from '@stanzaport/testing';
import {
  type CertificatePolicyOptions,
  CREDENTIALS,
  type CredentialOptions,
  type CredentialStore,
  tlsModule,
} from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { firstValueFrom } from 'rxjs';
import {
  DirectTlsTransport,
  directTlsModule,
  StartTlsTransport,
  startTlsModule,
  type TlsListener,
  type TlsTransportOptions,
  type Upgrade,
} from '../../src/index.ts';

let sharedCa: Promise<TestCa> | undefined;

/** One CA for a test file: making keys takes time. */
export function testCa(): Promise<TestCa> {
  sharedCa ??= createTestCa();
  return sharedCa;
}

export const DOMAIN = 'capulet.example';
export const OTHER_DOMAIN = 'montague.example';

/** What a transport of a test is given. */
export interface TransportSetup {
  readonly upgrade: Upgrade;
  readonly limits?: Partial<Limits>;
  readonly options?: Partial<TlsTransportOptions>;
  readonly logger?: Logger;
  /** Domains with a certificate each. */
  readonly domains?: readonly string[];
  readonly credentials?: readonly CredentialOptions[];
  /** How peers are judged, beyond trust in the test CA. */
  readonly policy?: Omit<CertificatePolicyOptions, 'trust'>;
}

/** A transport, and the credentials it presents. */
export interface WiredTransport {
  readonly transport: DirectTlsTransport | StartTlsTransport;
  readonly credentials: CredentialStore;
}

/** A transport wired as an application would, with certificates of the test CA, which it also trusts. */
export async function createTransport({
  upgrade,
  limits,
  options = {},
  logger,
  domains = [DOMAIN],
  credentials = [],
  policy = {},
}: TransportSetup): Promise<WiredTransport> {
  const ca = await testCa();
  const issued = await Promise.all(domains.map(issue));
  const container = new Container();
  container.load(
    coreModule({ ...(limits === undefined ? {} : { limits }), ...(logger === undefined ? {} : { logger }) }),
    tlsModule({ credentials: [...issued, ...credentials], trust: [ca.rootPem], ...policy }),
    upgrade === 'direct-tls' ? directTlsModule(options) : startTlsModule(options),
  );
  const transport = container.get(upgrade === 'direct-tls' ? DirectTlsTransport : StartTlsTransport);
  return { transport, credentials: container.get<CredentialStore>(CREDENTIALS) };
}

/** A credential of the test CA for one domain. */
export async function issue(domain: string): Promise<CredentialOptions> {
  const { chainPem, keyPem } = await (await testCa()).issue({ dnsNames: [domain] });
  return { domain, cert: chainPem, key: keyPem };
}

export function targetOf(
  { address, port }: SocketAddress,
  kind: ConnectionKind = 'c2s',
  domain = DOMAIN,
): ConnectTarget {
  return { kind, domain, host: address, port };
}

/** A listener and a connection to it, both ends. */
export interface Pair extends AsyncDisposable {
  readonly listener: TlsListener;
  readonly server: Connection;
  readonly client: Connection;
  readonly credentials: CredentialStore;
}

export async function connectPair(setup: TransportSetup, kind: ConnectionKind = 'c2s'): Promise<Pair> {
  const { transport, credentials } = await createTransport(setup);
  const { transport: clientTransport } = await createTransport({ upgrade: setup.upgrade, domains: [OTHER_DOMAIN] });
  const listener = await transport.listen({ host: '127.0.0.1', port: 0, kinds: [kind] });
  const accepted = firstValueFrom(listener.connections$);
  const target = targetOf(listener.address, kind);
  const client = await clientTransport.connect(kind === 's2s' ? { ...target, localDomain: OTHER_DOMAIN } : target);
  const server = await accepted;
  return {
    listener,
    server,
    client,
    credentials,
    async [Symbol.asyncDispose]() {
      client.abort();
      await client.close();
      await listener.close({ drainMs: 0 });
    },
  };
}
