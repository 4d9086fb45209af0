import { isIP } from 'node:net';
import { type ConnectionKind, type SocketAddress, TransportError } from '@stanzaport/core';
import type { MemoryLinkEnd } from './memory-link.ts';

/** What an initiating entity shows before anything else, as in a ClientHello. */
export interface MemoryHello {
  readonly kind: ConnectionKind;
  /** Server name, as A-labels. */
  readonly sni: string;
  /** Where it comes from. */
  readonly remote: SocketAddress;
  /** The receiving entity's end of the link. */
  readonly link: MemoryLinkEnd;
}

/** Takes a connection, or throws the TransportError that the initiating entity gets. */
export type MemoryAcceptor = (hello: MemoryHello) => void;

/** First of the ports for private use (RFC 6335 §6), which port 0 is served from. */
const FIRST_DYNAMIC_PORT = 49_152;
const LAST_PORT = 65_535;

/**
 * Where memory transports meet: one host, whose ports have listeners. Two transports that were given the same network
 * reach each other; host names are not looked at.
 */
export class MemoryNetwork {
  readonly #listeners = new Map<number, MemoryAcceptor>();
  #lastDynamicPort = FIRST_DYNAMIC_PORT - 1;

  /** Gives `acceptor` the port, or a free one for 0. @throws TransportError of category `config`. */
  bind(host: string, port: number, acceptor: MemoryAcceptor): SocketAddress {
    const family = isIP(host);
    if (family === 0) throw new TransportError('XMPP_ADDRESS_UNAVAILABLE', `cannot bind ${host}: it is no IP address`);
    if (!Number.isInteger(port) || port < 0 || port > LAST_PORT) {
      throw new TransportError('XMPP_BAD_OPTION', `cannot bind ${host} port ${port}: it is no port`);
    }
    if (this.#listeners.has(port)) {
      throw new TransportError('XMPP_ADDRESS_IN_USE', `cannot bind ${host} port ${port}: it is in use`);
    }
    const bound = port === 0 ? this.nextPort() : port;
    this.#listeners.set(bound, acceptor);
    return { family: family === 4 ? 'IPv4' : 'IPv6', address: host, port: bound };
  }

  release(port: number): void {
    this.#listeners.delete(port);
  }

  /** @throws TransportError `XMPP_REFUSED` where nobody listens, or what the listener has against it. */
  dial(port: number, hello: MemoryHello): void {
    const acceptor = this.#listeners.get(port);
    if (acceptor === undefined) throw new TransportError('XMPP_REFUSED', `nobody listens on memory port ${port}`);
    acceptor(hello);
  }

  /** A port nobody listens on. */
  nextPort(): number {
    do {
      this.#lastDynamicPort = this.#lastDynamicPort === LAST_PORT ? FIRST_DYNAMIC_PORT : this.#lastDynamicPort + 1;
    } while (this.#listeners.has(this.#lastDynamicPort));
    return this.#lastDynamicPort;
  }
}

/** Where transports meet that were given no network of their own. */
export const processNetwork: MemoryNetwork = new MemoryNetwork();
