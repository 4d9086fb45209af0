import { networkInterfaces } from 'node:os';
import { TransportError } from '@stanzaport/core';
import type { Endpoint } from './endpoint.ts';
import type { PortSharing } from './port-sharing.ts';
import type { UdpSocket } from './udp-socket.ts';

/** A port that is free at one address may be taken at another; how often a fresh one is tried. */
const PORT_ATTEMPTS = 16;

/**
 * The addresses to bind for `host`. A wildcard stands for every address of this machine, each of which gets a socket of
 * its own: one wildcard socket would answer from whatever address the routing table prefers, which need not be the one
 * the client sent to, and Node.js cannot say otherwise. Link-local addresses are left out, as they need a scope.
 */
export function localAddresses(host: string): readonly string[] {
  if (host !== '::' && host !== '0.0.0.0') return [host];
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, address }) => !address.startsWith('fe80:') && (host === '::' || family === 'IPv4'))
    .map(({ address }) => address);
}

/**
 * Binds every address of `host` to one port.
 * @throws TransportError naming the address and port that could not be bound; nothing stays bound.
 */
export async function openAll(
  createEndpoint: () => Endpoint,
  host: string,
  port: number,
  sharing: PortSharing | null = null,
): Promise<[Endpoint, UdpSocket[]]> {
  const addresses = localAddresses(host);
  if (addresses.length === 0) {
    throw new TransportError('XMPP_ADDRESS_UNAVAILABLE', `UDP ${host}:${port}: this machine has no such address`);
  }
  for (let attempt = 1; ; attempt++) {
    const endpoint = createEndpoint();
    const sockets: UdpSocket[] = [];
    try {
      for (const address of addresses) {
        sockets.push(await endpoint.open({ host: address, port: sockets[0]?.address.port ?? port, sharing }));
      }
      return [endpoint, sockets];
    } catch (error) {
      await endpoint.close();
      const mayRetry = port === 0 && sockets.length > 0 && attempt < PORT_ATTEMPTS;
      if (!mayRetry) throw error;
    }
  }
}
