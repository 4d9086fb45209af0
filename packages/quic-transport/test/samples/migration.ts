import { type Connection, isMigratable, type NetworkPath } from '@stanzaport/core';

/** Moves a connection to the address of another network interface, where its transport can do that. */
export async function goOver(connection: Connection, localAddress: string): Promise<NetworkPath | null> {
  if (!isMigratable(connection)) return null;
  return connection.migrate({ localAddress, signal: AbortSignal.timeout(5_000) });
}

/** Tells every path the connection takes, also those it finds by itself. */
export function watchPath(connection: Connection, tell: (route: string) => void): void {
  connection.path$.subscribe({
    next: ({ local, remote }) => tell(`${local.address} port ${local.port} → ${remote.address} port ${remote.port}`),
    error: () => undefined,
  });
}
