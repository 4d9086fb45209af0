import type { Duplex } from 'node:stream';
import type { TransportError } from './errors.ts';

/**
 * What a transport author supplies for each stanza stream is a Node.js `Duplex` of bytes, with `allowHalfOpen` and
 * `autoDestroy` on (the defaults). Its plain events mean what they always mean: `end` is an orderly end of the peer's
 * bytes, `error` a failure that discards what was not read yet. Two things that TCP and QUIC know and a `Duplex` does
 * not have a function each here.
 */

const endErrors = new WeakMap<Duplex, TransportError>();

/** Event names private to this file and its reader, `createStanzaStream`. */
export const FAILED = 'stanzaport:failed';
export const PEER_STOPPED = 'stanzaport:peer-stopped';

/**
 * The peer's bytes end with a failure: a reset, a lost connection, a timeout. Unlike `destroy(error)` it lets the
 * consumer have everything that was pushed before; `error` follows it. Bytes still to be written are given up.
 */
export function endWithError(bytes: Duplex, error: TransportError): void {
  if (endErrors.has(bytes) || bytes.destroyed) return;
  endErrors.set(bytes, error);
  bytes.emit(FAILED, error);
  if (!bytes.readableEnded) bytes.push(null);
}

/** The error given to {@link endWithError}, if any. */
export function endErrorOf(bytes: Duplex): TransportError | null {
  return endErrors.get(bytes) ?? null;
}

/**
 * The peer wants no more of our bytes (QUIC STOP_SENDING): `send` fails from now on with `error`, reading goes on. The
 * transport discards what it is still given to write.
 */
export function stopWriting(bytes: Duplex, error: TransportError): void {
  bytes.emit(PEER_STOPPED, error);
}
