import { domainToASCII } from 'node:url';
import {
  type Cancellable,
  CertificateError,
  type Connection,
  type ConnectionKind,
  type ConnectionSecurity,
  type ConnectTarget,
  type IdentityQuestion,
  type Limits,
  type Listener,
  type ListenOptions,
  type Logger,
  type NetworkPath,
  NO_TLS,
  type PeerVerdict,
  resolveLimits,
  type SocketAddress,
  silentLogger,
  type Transport,
  TransportError,
} from '@stanzaport/core';
import { MemoryConnection } from './memory-connection.ts';
import { createMemoryLink } from './memory-link.ts';
import { MemoryListener } from './memory-listener.ts';
import { type MemoryHello, type MemoryNetwork, processNetwork } from './memory-network.ts';

/** How a memory transport works. */
export interface MemoryTransportOptions {
  /** Where its peers are. @defaultValue one network for the whole process */
  readonly network?: MemoryNetwork;
  /** @defaultValue DEFAULT_LIMITS */
  readonly limits?: Partial<Limits>;
  /** @defaultValue a logger that discards everything */
  readonly logger?: Logger;
  /** Bytes held for the slow reader of one stream. @defaultValue 65,536 */
  readonly windowBytes?: number;
  /** Streams of one connection that one side may have open at once. @defaultValue 100 */
  readonly maxStreams?: number;
  /** Plays the certificate policy. @defaultValue nothing is presented, so that nothing is proved and nothing asked */
  readonly verify?: (question: IdentityQuestion) => PeerVerdict;
}

/** ALPN protocol names (XEP-0368 §3). */
const ALPN: Readonly<Record<ConnectionKind, string>> = { c2s: 'xmpp-client', s2s: 'xmpp-server' };

/** Ports where a target names none (RFC 6120 §14.7). */
const DEFAULT_PORTS: Readonly<Record<ConnectionKind, number>> = { c2s: 5222, s2s: 5269 };

/** TLS AlertDescription no_application_protocol (RFC 7301 §3.2). */
const NO_APPLICATION_PROTOCOL = 120;

/**
 * Carries XML streams from one side of a process to the other: many streams a connection as QUIC has, half-close,
 * reset, backpressure, and no wire. It serves tests of servers, and it is the model for a transport's author: a class
 * with `listen` and `connect`, a connection, and a `Duplex` for each stream.
 */
export class MemoryTransport implements Transport {
  readonly name = 'memory';
  readonly #network: MemoryNetwork;
  readonly #limits: Limits;
  readonly #logger: Logger;
  readonly #link: { readonly windowBytes: number; readonly maxStreams: number };
  readonly #verify: ((question: IdentityQuestion) => PeerVerdict) | null;

  /** @throws TransportError `XMPP_BAD_OPTION` for a limit out of its range. */
  constructor(options: MemoryTransportOptions = {}) {
    this.#network = options.network ?? processNetwork;
    this.#limits = resolveLimits(options.limits);
    this.#logger = options.logger ?? silentLogger;
    this.#link = { windowBytes: options.windowBytes ?? 65_536, maxStreams: options.maxStreams ?? 100 };
    this.#verify = options.verify ?? null;
  }

  async listen({ host = '::', port, kinds = ['c2s'] }: ListenOptions): Promise<Listener> {
    const address = this.#network.bind(host, port, (hello) => {
      if (!kinds.includes(hello.kind)) {
        const message = `the listener on memory port ${address.port} does not speak ${ALPN[hello.kind]}`;
        throw new TransportError('XMPP_NO_APPLICATION_PROTOCOL', message, { alert: NO_APPLICATION_PROTOCOL });
      }
      listener.announce(this.#accept(hello, address));
    });
    const listener = new MemoryListener({
      address,
      defaultDrainMs: this.#limits.closeTimeoutMs,
      onHandlerError: (err) => this.#logger.error({ err }, 'a handler of the listener failed'),
      release: () => this.#network.release(address.port),
    });
    return listener;
  }

  async connect(target: ConnectTarget, { signal }: Cancellable = {}): Promise<Connection> {
    const { kind, domain, port = DEFAULT_PORTS[kind] } = target;
    const sni = domainToASCII(domain);
    if (sni === '') throw new TransportError('XMPP_BAD_OPTION', `cannot connect to ${domain}: it is no domain`);
    const verdict = this.#verify?.({ domain: sni, purpose: kind === 'c2s' ? 'c2s-server' : 's2s-server' }) ?? null;
    const local: SocketAddress = { family: 'IPv6', address: '::1', port: this.#network.nextPort() };

    await nextTurn();
    if (signal?.aborted) throw aborted(domain);
    if (verdict?.verified === false) {
      const message = `connecting to ${sni} on memory port ${port}: ${verdict.detail}`;
      throw new CertificateError(verdict.reason, sni, message, { alert: verdict.alert });
    }
    const [ours, theirs] = createMemoryLink(this.#link);
    this.#network.dial(port, { kind, sni, remote: local, link: theirs });
    const connection = new MemoryConnection(ours, {
      kind,
      role: 'initiating',
      security: this.#security(kind, sni, verdict),
      path: { local, remote: { ...local, port } },
      limits: this.#limits,
      logger: this.#logger,
    });

    await nextTurn();
    if (!signal?.aborted) return connection;
    connection.abort();
    throw aborted(domain);
  }

  #accept({ kind, sni, remote, link }: MemoryHello, { port }: SocketAddress): MemoryConnection {
    const path: NetworkPath = { local: { ...remote, port }, remote };
    return new MemoryConnection(link, {
      kind,
      role: 'receiving',
      security: this.#security(kind, sni, null),
      path,
      limits: this.#limits,
      logger: this.#logger,
    });
  }

  #security(kind: ConnectionKind, sni: string, verdict: PeerVerdict | null): ConnectionSecurity {
    return { ...NO_TLS, alpn: ALPN[kind], sni, verdict, verify: this.#verify ?? NO_TLS.verify };
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function aborted(domain: string): TransportError {
  return new TransportError('XMPP_ABORTED', `connecting to ${domain} was aborted`);
}
