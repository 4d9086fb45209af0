import { type Connection, isMigratable, type NetworkPath, type SocketAddress, TransportError } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';

/** What became of a connection that was moved to another local address. */
export type Move =
  | { readonly moved: false; readonly why: string }
  | { readonly moved: true; readonly from: SocketAddress; readonly to: SocketAddress };

/** Not every system has it: macOS has 127.0.0.1 alone, and then another port has to do. */
const OTHER_LOOPBACK_ADDRESS = '127.0.0.2';

/** Migrates a connection (XEP-0467 §2 (8)), where its transport can. */
export async function move(connection: Connection, signal: AbortSignal): Promise<Move> {
  if (!isMigratable(connection))
    return { moved: false, why: `a connection over ${connection.transport} cannot migrate` };
  const { local: from } = await firstValueFrom(connection.path$);
  const { local: to } = await connection
    .migrate({ localAddress: OTHER_LOOPBACK_ADDRESS, signal })
    .catch((error: unknown): Promise<NetworkPath> => {
      if (error instanceof TransportError && error.category === 'config') return connection.migrate({ signal });
      throw error;
    });
  return { moved: true, from, to };
}
