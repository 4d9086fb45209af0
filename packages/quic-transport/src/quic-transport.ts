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
  unlessAborted,
} from '@stanzaport/core';
import type { Credential } from '@stanzaport/tls-shared';
import type { EngineConfig } from './engine/port.ts';
import { checkKind, checkTicketKeys, type QuicOptions, resolveQuicOptions } from './options.ts';
import { connectTo } from './quic-client.ts';
import { QuicListener } from './quic-listener.ts';
import { type QuicDependencies, QuicParts } from './quic-parts.ts';

/** The port to try when nothing else says which (XEP-0467 §2 (1)). */
export const DEFAULT_QUIC_PORT = 443;

/** XMPP over QUIC (XEP-0467). */
export class QuicTransport implements Transport {
  readonly name = 'quic';
  readonly #parts: QuicParts;
  /** Configurations of connections that present no certificate. */
  readonly #anonymousConfigs = new Map<ConnectionKind, EngineConfig>();
  readonly #credentialConfigs = new WeakMap<Credential, Map<ConnectionKind, EngineConfig>>();

  /** @throws TransportError `XMPP_BAD_OPTION`. */
  constructor(dependencies: QuicDependencies, options: Partial<QuicOptions> = {}) {
    this.#parts = new QuicParts(dependencies, resolveQuicOptions(options));
  }

  /**
   * Binds UDP sockets: one, or for a wildcard host one for each address of this machine.
   * @throws TransportError of category `config`, naming the address and port, or the credential's file.
   */
  listen(options: ListenOptions): Promise<QuicListener> {
    return QuicListener.open(this.#parts, options);
  }

  /** Tries the addresses of `target.host` one after the other; the error is that of the last one. */
  async connect(target: ConnectTarget, { signal }: Cancellable = {}): Promise<Connection> {
    checkKind(target.kind, 'connect');
    const domain = normalizeDomain(target.domain);
    // RFC 6066 §3: no server name can be sent for an IP address, and XEP-0467 §2 (4) requires one.
    if (domain === null || isIpLiteral(target.domain)) {
      throw new TransportError(
        'XMPP_BAD_OPTION',
        `connect: '${target.domain}' is no domain name, so SNI is impossible`,
      );
    }
    const port = target.port ?? DEFAULT_QUIC_PORT;
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new TransportError('XMPP_BAD_OPTION', `connect: ${port} is no port`);
    }
    const credential = this.#credentialFor(target);
    const config = this.#configFor(target.kind, credential);
    const localCertificates = credential?.chainDer ?? [];
    const question: IdentityQuestion = {
      domain,
      purpose: target.kind === 'c2s' ? 'c2s-server' : 's2s-server',
      ...(target.delegations === undefined ? {} : { delegations: target.delegations }),
    };
    let isFirst = true;
    const attempt = async (address: string): Promise<Connection> => {
      // A session is used up by the first address that is tried (RFC 8446 §C.4).
      const taken = isFirst ? this.#parts.sessions.take({ question, localCertificates }) : Promise.resolve(null);
      isFirst = false;
      const session = await unlessAborted(taken, signal, `connecting to ${domain}`);
      return connectTo(this.#parts, {
        kind: target.kind,
        question,
        address,
        port,
        config,
        localCertificates,
        session,
        signal,
      });
    };
    return await connectToHost(target.host ?? domain, attempt, signal);
  }

  /**
   * Replaces {@link QuicOptions.ticketKeys} for all handshakes from now on.
   * @throws TransportError `XMPP_BAD_OPTION` unless there are 1 to 16 keys of 48 bytes.
   */
  replaceTicketKeys(keys: readonly Uint8Array[]): void {
    checkTicketKeys(keys);
    this.#parts.ticketKeys.replace(keys);
  }

  #credentialFor({ localDomain }: ConnectTarget): Credential | null {
    if (localDomain === undefined) return null;
    const name = normalizeDomain(localDomain);
    const credential = name === null ? null : this.#parts.credentials.select(name);
    if (credential !== null) return credential;
    throw new TransportError('XMPP_BAD_OPTION', `connect: there is no credential for '${localDomain}'`);
  }

  #configFor(kind: ConnectionKind, credential: Credential | null): EngineConfig {
    if (credential === null) {
      const known = this.#anonymousConfigs.get(kind);
      if (known !== undefined) return known;
      const config = this.#parts.createConfig({ role: 'client', kind, credential: null });
      this.#anonymousConfigs.set(kind, config);
      return config;
    }
    const byKind = this.#credentialConfigs.get(credential) ?? new Map<ConnectionKind, EngineConfig>();
    this.#credentialConfigs.set(credential, byKind);
    const known = byKind.get(kind);
    if (known !== undefined) return known;
    const config = this.#parts.createConfig({ role: 'client', kind, credential });
    byKind.set(kind, config);
    return config;
  }
}
