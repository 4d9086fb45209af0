import type { SocketAddress } from '@stanzaport/core';

/** An address and port as people write them. */
export function format({ family, address, port }: SocketAddress): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
