import { once } from 'node:events';
import { type AddressInfo, createServer, isIP } from 'node:net';
import { type ListenOptions, SingleStreamListener, type SocketAddress, TransportError } from '@stanzaport/core';
import { checkKind } from './options.ts';
import { TlsAcceptor, type TlsListenerCounters } from './tls-acceptor.ts';
import { createTlsConnection } from './tls-connection.ts';
import type { TlsParts } from './tls-parts.ts';

/** A bound TCP port in the receiving role. */
export class TlsListener extends SingleStreamListener {
  readonly #acceptor: TlsAcceptor;

  /** @param stopChecking ends the checking of credentials that are to come into force. */
  private constructor(parts: TlsParts, address: SocketAddress, acceptor: TlsAcceptor, stopChecking: () => void) {
    const { upgrade: transport, limits, logger } = parts;
    const stopAccepting = (): Promise<void> => {
      stopChecking();
      return acceptor.stop();
    };
    super({ transport, address, limits, logger, stopAccepting });
    this.#acceptor = acceptor;
    acceptor.onSecured = (secured) => this.announce(createTlsConnection(parts, 'receiving', secured));
  }

  /** @throws TransportError of category `config`. */
  static async open(parts: TlsParts, { host = '::', port, kinds = ['c2s'] }: ListenOptions): Promise<TlsListener> {
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new TransportError('XMPP_BAD_OPTION', `listen: ${port} is no port`);
    }
    if (isIP(host) === 0) throw new TransportError('XMPP_BAD_OPTION', `listen: '${host}' is no IP address`);
    if (kinds.length === 0) throw new TransportError('XMPP_BAD_OPTION', 'listen: kinds is empty');
    for (const kind of kinds) checkKind(kind, 'listen');
    const { credentials, contexts, options } = parts;
    if (credentials.domains.length === 0) {
      throw new TransportError('XMPP_BAD_OPTION', 'listen: TLS needs at least one credential');
    }
    if (options.defaultDomain !== null && !credentials.serves(options.defaultDomain)) {
      throw new TransportError('XMPP_BAD_OPTION', `listen: there is no credential for '${options.defaultDomain}'`);
    }
    // A credential the TLS stack does not take has to be known before a client asks for it.
    const stopChecking = credentials.checkWith((credential) => void contexts.of(credential));
    const keepAlive = options.keepAliveMs > 0;
    const server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive,
      keepAliveInitialDelay: options.keepAliveMs,
    });
    try {
      server.listen({ host, port });
      await once(server, 'listening');
    } catch (cause) {
      stopChecking();
      throw listenError(cause as NodeJS.ErrnoException, host, port);
    }
    const { family, address, port: bound } = server.address() as AddressInfo;
    const local: SocketAddress = { family: family === 'IPv6' ? 'IPv6' : 'IPv4', address, port: bound };
    return new TlsListener(parts, local, new TlsAcceptor(parts, [...new Set(kinds)], server), stopChecking);
  }

  get counters(): TlsListenerCounters {
    return this.#acceptor.counters;
  }

  /** Handshakes that are under way, and sockets of those that failed and are still closing. */
  get pendingHandshakeCount(): number {
    return this.#acceptor.pendingHandshakeCount;
  }
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): TransportError {
  const place = `${host} port ${port}`;
  return cause.code === 'EADDRINUSE'
    ? new TransportError('XMPP_ADDRESS_IN_USE', `listen: ${place} is in use`, { cause })
    : new TransportError('XMPP_ADDRESS_UNAVAILABLE', `listen: ${place} cannot be bound (${cause.code})`, { cause });
}
