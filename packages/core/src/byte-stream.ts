import type { Duplex } from 'node:stream';
import type { TransportError } from './errors.ts';

/**
 * What a transport author supplies for each stanza stream is a Node.js `Duplex` of bytes, with `allowHalfOpen` and
 * `autoDestroy` on (the defaults). Its plain events mean what they always mean: `end` is an orderly end of the peer's
 * bytes, `error` a failure that discards what was not read yet. Two things that TCP and QUIC know and a `Duplex` does
 * not have a function each here, and so has one that only XML knows.
 */

const endErrors = new WeakMap<Duplex, TransportError>();
const unwanted = new WeakSet<Duplex>();

/** Event names private to this file and its reader, `createStanzaStream`. */
export const FAILED = 'stanzaport:failed';
export const PEER_STOPPED = 'stanzaport:peer-stopped';
const UNWANTED = 'stanzaport:unwanted';

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

/**
 * Calls `listener` once what the peer still sends means nothing any more: its closing tag has come, or the stream has
 * failed. Protocols without half-close send the end of our bytes only then, as it would end the peer's too (TLS 1.2, RFC
 * 5246 §7.2.1).
 */
export function whenUnwanted(bytes: Duplex, listener: () => void): void {
  if (unwanted.has(bytes)) listener();
  else bytes.once(UNWANTED, listener);
}

/** Nothing that follows in the peer's bytes means anything; they are read to their end all the same. */
export function tellUnwanted(bytes: Duplex): void {
  if (unwanted.has(bytes)) return;
  unwanted.add(bytes);
  bytes.emit(UNWANTED);
}
