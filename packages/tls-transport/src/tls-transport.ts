import {
  type Cancellable,
  type Connection,
  type ConnectionKind,
  type ConnectTarget,
  connectToHost,
  type IdentityQuestion,
  isIpLiteral,
  type ListenOptions,
  normalizeDomain,
  type Transport,
  TransportError,
} from '@stanzaport/core';
import type { Credential } from '@stanzaport/tls-shared';
import { checkKind, resolveTlsTransportOptions, type TlsTransportOptions } from './options.ts';
import { connectTo } from './tls-client.ts';
import { TlsListener } from './tls-listener.ts';
import { type TlsDependencies, TlsParts, type Upgrade } from './tls-parts.ts';

/** The ports to try when nothing else says which: registered for Direct TLS, and RFC 6120 §14.7. */
export const DEFAULT_TLS_PORTS: Readonly<Record<Upgrade, Readonly<Record<ConnectionKind, number>>>> = Object.freeze({
  'direct-tls': { c2s: 5_223, s2s: 5_270 },
  starttls: { c2s: 5_222, s2s: 5_269 },
});

/** What Direct TLS and STARTTLS have in common: all but the beginning. */
abstract class TlsTransport implements Transport {
  readonly name: Upgrade;
  readonly #parts: TlsParts;

  /** @throws TransportError `XMPP_BAD_OPTION`. */
  constructor(name: Upgrade, dependencies: TlsDependencies, options: Partial<TlsTransportOptions>) {
    this.name = name;
    this.#parts = new TlsParts(name, dependencies, resolveTlsTransportOptions(name, options));
  }

  /**
   * Binds one TCP port.
   * @throws TransportError of category `config`, naming the address and port, or the credential's file.
   */
  listen(options: ListenOptions): Promise<TlsListener> {
    return TlsListener.open(this.#parts, options);
  }

  /** Tries the addresses of `target.host` one after the other; the error is that of the last one. */
  async connect(target: ConnectTarget, { signal }: Cancellable = {}): Promise<Connection> {
    checkKind(target.kind, 'connect');
    const domain = normalizeDomain(target.domain);
    // RFC 6066 §3: no server name can be sent for an IP address, and XEP-0368 §3 (6) wants one.
    if (domain === null || isIpLiteral(target.domain)) {
      const why = `'${target.domain}' is no domain name, so SNI is impossible`;
      throw new TransportError('XMPP_BAD_OPTION', `connect: ${why}`);
    }
    const port = target.port ?? DEFAULT_TLS_PORTS[this.name][target.kind];
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new TransportError('XMPP_BAD_OPTION', `connect: ${port} is no port`);
    }
    const credential = this.#credentialFor(target);
    // What the TLS stack does not take is told now, and not after a connection is up.
    this.#parts.contexts.of(credential);
    const question: IdentityQuestion = {
      domain,
      purpose: target.kind === 'c2s' ? 'c2s-server' : 's2s-server',
      ...(target.delegations === undefined ? {} : { delegations: target.delegations }),
    };
    const localDomain = target.kind === 's2s' ? (target.localDomain ?? null) : null;
    const attempt = (address: string): Promise<Connection> =>
      connectTo(this.#parts, { kind: target.kind, question, address, port, credential, localDomain, signal });
    return await connectToHost(target.host ?? domain, attempt, signal);
  }

  #credentialFor({ localDomain }: ConnectTarget): Credential | null {
    if (localDomain === undefined) return null;
    const name = normalizeDomain(localDomain);
    const credential = name === null ? null : this.#parts.credentials.select(name);
    if (credential !== null) return credential;
    throw new TransportError('XMPP_BAD_OPTION', `connect: there is no credential for '${localDomain}'`);
  }
}

/** XMPP over TLS from the first byte on (XEP-0368). */
export class DirectTlsTransport extends TlsTransport {
  /** @throws TransportError `XMPP_BAD_OPTION`. */
  constructor(dependencies: TlsDependencies, options: Partial<TlsTransportOptions> = {}) {
    super('direct-tls', dependencies, options);
  }
}

/** XMPP over TCP that is secured by STARTTLS before anything else (RFC 6120 §5); above it nobody can tell. */
export class StartTlsTransport extends TlsTransport {
  /** @throws TransportError `XMPP_BAD_OPTION`. */
  constructor(dependencies: TlsDependencies, options: Partial<TlsTransportOptions> = {}) {
    super('starttls', dependencies, options);
  }
}
