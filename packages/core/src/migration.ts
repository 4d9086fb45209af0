import type { Cancellable } from './cancellable.ts';
import type { Connection } from './connection.ts';
import type { NetworkPath } from './facts.ts';

/** Where {@link MigratableConnection.migrate} goes. */
export interface MigrateOptions extends Cancellable {
  /**
   * IP address of this machine to send from, of the family the connection has.
   * @defaultValue the one the routing table prefers now; at the least the port is another one then
   */
  readonly localAddress?: string;
}

/** A connection that can go over to another network path while its streams go on (XEP-0467 §2 (8), RFC 9000 §9). */
export interface MigratableConnection extends Connection {
  /**
   * Moves the connection to another local address; resolves with the new path when the peer has answered over it.
   * Stanzas sent meanwhile are queued like any others. When no answer comes the connection is back on its old path.
   * @throws TransportError `XMPP_UNREACHABLE` when nothing came back over the new path, `XMPP_ADDRESS_UNAVAILABLE`,
   *   `XMPP_BAD_OPTION`, `XMPP_INVALID_STATE` after the end and in the receiving role, `XMPP_ABORTED`.
   */
  migrate(options?: MigrateOptions): Promise<NetworkPath>;
}

/** Whether this connection can migrate: one over QUIC can, one over TCP cannot. */
export function isMigratable(connection: Connection): connection is MigratableConnection {
  return 'migrate' in connection && typeof connection.migrate === 'function';
}
