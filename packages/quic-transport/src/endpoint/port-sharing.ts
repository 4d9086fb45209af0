import cluster from 'node:cluster';
import { TransportError } from '@stanzaport/core';

/**
 * How several processes read from one UDP port. `reuse-port` (SO_REUSEPORT): each has a socket of its own, and the kernel
 * deals clients out by their addresses. `cluster`: they share one socket by way of `node:cluster`, and each datagram
 * goes to whoever reads first.
 */
export type PortSharing = 'reuse-port' | 'cluster';

/** Where Node.js has `reusePort` for UDP and the kernel spreads datagrams by it. */
const SPREADING: readonly NodeJS.Platform[] = ['linux', 'freebsd', 'sunos', 'aix'];

/** Whether this Node.js can open a UDP socket with SO_REUSEPORT: 22.12 and later, 23.1 and later. */
export function hasReusePort(version: string = process.versions.node): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return (
    SPREADING.includes(process.platform) &&
    (major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12))
  );
}

/**
 * The best way there is, or the one asked for.
 * @throws TransportError `XMPP_BAD_OPTION` where it cannot be had.
 */
export function choosePortSharing(asked: PortSharing | undefined): PortSharing {
  if (asked !== 'cluster' && hasReusePort()) return 'reuse-port';
  if (asked !== 'reuse-port' && cluster.isWorker) return 'cluster';
  const missing =
    asked === 'cluster'
      ? 'this process is no worker of node:cluster'
      : `Node.js ${process.versions.node} on ${process.platform} has no SO_REUSEPORT for UDP`;
  const hint = asked === undefined ? '; start the workers by node:cluster' : '';
  throw new TransportError('XMPP_BAD_OPTION', `quic.workers: ${missing}${hint}`);
}
