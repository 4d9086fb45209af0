import {
  type CloseReason,
  type Connection,
  type ConnectTarget,
  type Listener,
  type Logger,
  resolveLimits,
  type StanzaStream,
  silentLogger,
  type Transport,
  TransportError,
} from '../../packages/core/src/index.ts';
import { QuicheEngine, QuicTransport } from '../../packages/quic-transport/src/index.ts';
import { createTestCa, type TestCa, type TestCredential } from '../../packages/testing/src/index.ts';
import {
  CertificatePolicy,
  type CertificatePolicyOptions,
  type CredentialOptions,
  CredentialStore,
} from '../../packages/tls-shared/src/index.ts';
import { DirectTlsTransport, StartTlsTransport } from '../../packages/tls-transport/src/index.ts';

export const TRANSPORTS = ['quic', 'direct-tls', 'starttls'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/** The domain that is asked for, unless a row says otherwise. */
export const DOMAIN = 'a.example';
/** The domain of a server that connects. */
export const OTHER = 'b.example';

let made: Promise<TestCa> | undefined;
/** The CA all parties trust. */
export function testCa(): Promise<TestCa> {
  made ??= createTestCa();
  return made;
}

/** What an application says about one end. */
export interface PartyOptions {
  readonly credentials?: readonly CredentialOptions[];
  readonly policy?: CertificatePolicyOptions;
  readonly s2sClientCertificate?: 'required' | 'none';
  readonly logger?: Logger;
}

/** One end, wired as an application would. */
export interface Party {
  readonly transport: Transport;
  readonly credentials: CredentialStore;
  readonly policy: CertificatePolicy;
}

/** One transport, and what was opened on it; all of it ends with the stage. */
export class Stage implements AsyncDisposable {
  readonly name: TransportName;
  readonly ca: TestCa;
  readonly #listeners: Listener[] = [];
  readonly #connections: Connection[] = [];

  constructor(name: TransportName, ca: TestCa) {
    this.name = name;
    this.ca = ca;
  }

  party({ credentials = [], policy = {}, s2sClientCertificate, logger = silentLogger }: PartyOptions = {}): Party {
    const store = new CredentialStore(credentials, logger);
    const judge = new CertificatePolicy({ trust: [this.ca.rootPem], ...policy }, logger);
    const dependencies = { credentials: store, policy: judge, limits: resolveLimits(), logger };
    const options = s2sClientCertificate === undefined ? {} : { s2sClientCertificate };
    const create = {
      quic: () => new QuicTransport({ ...dependencies, engine: new QuicheEngine() }, options),
      'direct-tls': () => new DirectTlsTransport(dependencies, options),
      starttls: () => new StartTlsTransport(dependencies, options),
    };
    return { transport: create[this.name](), credentials: store, policy: judge };
  }

  async listen(party: Party, kind: 'c2s' | 's2s' = 'c2s'): Promise<Listener> {
    const listener = await party.transport.listen({ host: '127.0.0.1', port: 0, kinds: [kind] });
    this.#listeners.push(listener);
    return listener;
  }

  /** Connects to a listener on this machine. */
  async connect(party: Party, to: Listener, target: Partial<ConnectTarget> = {}): Promise<Connection> {
    const { address, port } = to.address;
    const connection = await party.transport.connect({ kind: 'c2s', domain: DOMAIN, host: address, port, ...target });
    this.#connections.push(connection);
    return connection;
  }

  /** What connecting ends with, where it must not succeed. */
  async refusal(party: Party, to: Listener, target: Partial<ConnectTarget> = {}): Promise<TransportError> {
    try {
      await this.connect(party, to, target);
    } catch (thrown) {
      if (thrown instanceof TransportError) return thrown;
      throw thrown;
    }
    throw new Error('it has connected');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.abort();
    await Promise.all(this.#connections.map(({ closed }) => closed));
    await Promise.all(this.#listeners.map((listener) => listener.close({ drainMs: 0 })));
  }
}

/** As credentials have it. */
export const credentialOf = (
  { chainPem, keyPem }: Pick<TestCredential, 'chainPem' | 'keyPem'>,
  domain: string | readonly string[] = DOMAIN,
): CredentialOptions => ({ domain, cert: chainPem, key: keyPem });

/** The next connection that a listener accepts. */
export function nextConnection({ connections$ }: Listener): Promise<Connection> {
  return new Promise((resolve) => {
    const subscription = connections$.subscribe((connection) => {
      resolve(connection);
      queueMicrotask(() => subscription.unsubscribe());
    });
  });
}

/** How a connection ends, and how many streams came on it until then. */
export async function endOf(connection: Connection): Promise<CloseReason & { readonly streams: number }> {
  let streams = 0;
  connection.streams$.subscribe({ next: () => streams++, error: () => undefined });
  return { ...(await connection.closed), streams };
}

/** The stream that the peer opens on a connection. */
export function nextStream({ streams$ }: Connection): Promise<StanzaStream> {
  return new Promise((resolve, reject) => {
    streams$.subscribe({ next: resolve, error: reject });
  });
}
