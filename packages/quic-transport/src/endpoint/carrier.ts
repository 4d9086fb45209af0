import type { UdpSocket } from './udp-socket.ts';

/** Where a connection sends to, and from which socket: a path as RFC 9000 §9 has it. */
export interface Carrier {
  readonly socket: UdpSocket;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** Whether a datagram that came to `socket` from this address came over the path of `carrier`. */
export function isOn(carrier: Carrier, socket: UdpSocket, remoteAddress: string, remotePort: number): boolean {
  return carrier.socket === socket && carrier.remotePort === remotePort && carrier.remoteAddress === remoteAddress;
}
