import type { TransportError } from '@stanzaport/core';
import type { PathManager } from './path-manager.ts';

/** What the end of a handshake makes of a connection that was there before it (0-RTT). */
export type EarlyOutcome =
  | { readonly accepted: true; readonly paths: PathManager | null }
  | { readonly accepted: false; readonly error: TransportError; readonly quicCode: number };

/** Those who announced a connection before its handshake was complete; one of the two is called, once. */
export interface EarlyHandshake {
  /** QUIC and TLS have done their part: judges the peer, and completes the facts of the connection. */
  complete(): EarlyOutcome;
  /** The connection has ended before. */
  fail(): void;
}
