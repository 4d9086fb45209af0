import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { endWithError, type TransportError } from '@stanzaport/core';
import { errorOfSocket, peerReset } from './errors.ts';

/** What the connection is told of its bytes. */
export interface ByteStreamOwner {
  /** The first bytes of the peer have come; they can be read. */
  onFirstBytes(): void;
  /** The peer's bytes have ended in order (close_notify, or the end of TCP; Node.js does not tell which). */
  onPeerEnded(): void;
  /** The connection under the bytes is lost. */
  onLost(error: TransportError): void;
}

/** How much is read ahead of the consumer, and taken ahead of the socket, in bytes. */
const HIGH_WATER_MARK = 65_536;

/**
 * The bytes inside a TLS connection. In place of the TLS socket itself it keeps what has come before a failure for the
 * consumer, speaks in typed errors, and can be given up so that the peer does not take it for an orderly end.
 */
export class TlsByteStream extends Duplex {
  readonly #tls: TLSSocket;
  readonly #tcp: Socket;
  readonly #owner: ByteStreamOwner;
  #hasBytes = false;
  #peerEnded = false;
  #lost = false;

  /** @param tcp the socket under `tls`. @param peer for messages. */
  constructor(tls: TLSSocket, tcp: Socket, peer: string, owner: ByteStreamOwner) {
    super({ highWaterMark: HIGH_WATER_MARK });
    this.#tls = tls;
    this.#tcp = tcp;
    this.#owner = owner;
    tls.on('data', (chunk: Buffer) => this.#onData(chunk));
    // It may have been read from before, to learn who is at the other end.
    tls.resume();
    tls.on('end', () => this.#onEnd());
    const onError = (error: Error): void => this.#lose(errorOfSocket(error, peer, 'open'));
    tls.on('error', onError);
    // COMPAT: a TLS socket made by hand, without `tls.Server`, tells of a bad record by this event alone.
    tls.on('_tlsError', onError);
    tls.on('close', () => {
      if (!this.#peerEnded || !this.writableFinished) this.#lose(peerReset(peer, 'open'));
    });
  }

  /** Ends at once, and not in order: the peer is to see a reset. */
  reset(error: TransportError): void {
    this.#lost = true;
    this.#resetTcp();
    this.destroy(error);
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
    if (this.#lost) done();
    else this.#tls.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // What the peer has not taken by now is given up, and it must not look as if that were all.
    if (!this.#lost && !this.#tls.writableFinished) this.#resetTcp();
    this.#lost = true;
    // The reset comes with the next turn, and takes the TLS socket with it.
    if (this.#tcp.destroyed || this.#tls.writableFinished) this.#tls.destroy();
    done(error);
  }

  #onData(chunk: Buffer): void {
    if (!this.push(chunk)) this.#tls.pause();
    if (this.#hasBytes) return;
    this.#hasBytes = true;
    this.#owner.onFirstBytes();
  }

  #onEnd(): void {
    this.#peerEnded = true;
    this.push(null);
    this.#owner.onPeerEnded();
  }

  #lose(error: TransportError): void {
    if (this.#lost || this.destroyed) return;
    this.#lost = true;
    this.#tls.destroy();
    endWithError(this, error);
    this.#owner.onLost(error);
  }

  #resetTcp(): void {
    // In a turn of its own: a reset from within a callback of the socket's own writing goes out as an orderly end.
    setImmediate(() => {
      if (!this.#tcp.destroyed) this.#tcp.resetAndDestroy();
    });
  }
}
