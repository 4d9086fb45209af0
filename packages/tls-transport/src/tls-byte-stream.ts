import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { endWithError, type TransportError, whenUnwanted } from '@stanzaport/core';
import { errorOfSocket, peerReset } from './errors.ts';

/** How much is read ahead of the consumer, and taken ahead of the socket, in bytes. */
const HIGH_WATER_MARK = 65_536;

/**
 * The bytes inside a TLS connection. In place of the TLS socket itself it keeps what has come before a failure for the
 * consumer, speaks in typed errors, and can be given up so that the peer does not take it for an orderly end.
 */
export class TlsByteStream extends Duplex {
  readonly #tls: TLSSocket;
  readonly #tcp: Socket;
  #peerEnded = false;
  #lost = false;

  /** @param tcp the socket under `tls`. @param peer for messages. */
  constructor(tls: TLSSocket, tcp: Socket, peer: string) {
    super({ highWaterMark: HIGH_WATER_MARK });
    this.#tls = tls;
    this.#tcp = tcp;
    tls.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) tls.pause();
    });
    // It may have been read from before, to learn who is at the other end.
    tls.resume();
    tls.on('end', () => {
      this.#peerEnded = true;
      this.push(null);
    });
    const onError = (error: Error): void => this.#lose(errorOfSocket(error, peer, 'open'));
    tls.on('error', onError);
    // COMPAT: a TLS socket made by hand, without `tls.Server`, tells of a bad record by this event alone.
    tls.on('_tlsError', onError);
    tls.on('close', () => {
      if (!this.#peerEnded || !this.writableFinished) this.#lose(peerReset(peer, 'open'));
    });
  }

  override _read(): void {
    this.#tls.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#lost) done();
    else this.#tls.write(chunk, () => done());
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'latin1', done);
  }

  /** close_notify and the end of our half of TCP; what the peer still sends is read on. */
  override _final(done: () => void): void {
    const end = (): void => {
      if (this.#lost) done();
      else this.#tls.end(() => done());
    };
    // In TLS 1.2 close_notify ends both directions at once (RFC 5246 §7.2.1): our closing tag has to do until the peer's.
    if (this.#tls.getProtocol() === 'TLSv1.2') whenUnwanted(this, end);
    else end();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#lost || this.#tls.writableFinished || this.#tcp.destroyed) this.#tls.destroy();
    else this.#giveUp();
    this.#lost = true;
    done(error);
  }

  #lose(error: TransportError): void {
    if (this.#lost || this.destroyed) return;
    this.#lost = true;
    this.#tls.destroy();
    endWithError(this, error);
  }

  /** What the peer has not taken by now it will not get, and it must not look as if that were all. */
  #giveUp(): void {
    // In a turn of its own: our end may be on its way out, and a reset from within a callback of the socket's own writing
    // goes out as an orderly end.
    setImmediate(() => {
      if (this.#tls.writableFinished) this.#tls.destroy();
      else if (!this.#tcp.destroyed) this.#tcp.resetAndDestroy();
    });
  }
}
