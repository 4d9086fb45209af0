import { isIPv6, type Socket } from 'node:net';
import type { NetworkPath, SocketAddress } from '@stanzaport/core';

/** The addresses of a connected socket; null when it is connected no more. */
export function pathOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): NetworkPath | null {
  const local = addressOf(localAddress, localPort);
  const remote = addressOf(remoteAddress, remotePort);
  return local === null || remote === null ? null : { local, remote };
}

function addressOf(address: string | undefined, port: number | undefined): SocketAddress | null {
  if (address === undefined || port === undefined) return null;
  return { family: isIPv6(address) ? 'IPv6' : 'IPv4', address, port };
}
