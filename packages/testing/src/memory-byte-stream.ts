import { Duplex } from 'node:stream';
import { endWithError, stopWriting, TransportError } from '@stanzaport/core';

/** Largest piece handed over at once; about one TLS record, so that chunk borders fall as on a real wire. */
const PIECE_BYTES = 16_384;

/** Makes the two ends of one byte stream; each holds at most `windowBytes`, and one piece, for a reader that is slow. */
export function createMemoryByteStreams(windowBytes: number): [MemoryByteStream, MemoryByteStream] {
  const left = new MemoryByteStream(windowBytes);
  const right = new MemoryByteStream(windowBytes);
  left.joinTo(right);
  right.joinTo(left);
  return [left, right];
}

/**
 * One end of a byte stream: what the author of a transport supplies for each stanza stream.
 *
 * What is written is copied, and handed over in a later turn of the event loop and only while the other end has room,
 * so that writer and reader meet the delays and the backpressure of a real wire.
 */
export class MemoryByteStream extends Duplex {
  #peer: MemoryByteStream = this;
  /** What the peer has not taken yet, and whom to tell when it has. */
  #outgoing: { readonly chunk: Buffer; offset: number; readonly taken: () => void } | null = null;
  #finish: (() => void) | null = null;
  #scheduled = false;
  /** Our own reader has room. */
  #hasRoom = true;
  /** The peer's bytes have ended in order. */
  #peerEnded = false;
  /** The peer takes nothing more, so that what is written goes nowhere. */
  #cutOff = false;

  constructor(windowBytes: number) {
    super({ readableHighWaterMark: windowBytes, writableHighWaterMark: PIECE_BYTES });
  }

  /** @internal */
  joinTo(peer: MemoryByteStream): void {
    this.#peer = peer;
  }

  /** The wire under this stream is gone, or the peer has reset it: what has arrived can still be read. */
  lose(error: TransportError): void {
    if (this.destroyed) return;
    this.#cutOff = true;
    if (this.#peerEnded) {
      if (!this.writableFinished) stopWriting(this, error);
    } else {
      endWithError(this, error);
    }
    this.#transfer();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#outgoing = { chunk, offset: 0, taken: callback };
    this.#schedule();
  }

  override _final(callback: () => void): void {
    this.#finish = callback;
    this.#schedule();
  }

  override _read(): void {
    this.#hasRoom = true;
    this.#peer.#schedule();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#outgoing = null;
    this.#finish = null;
    if (!this.writableFinished || !this.readableEnded) {
      const reset = new TransportError('XMPP_PEER_RESET', 'the peer reset the stream');
      setImmediate(() => this.#peer.lose(reset));
    }
    callback(error);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#transfer();
    });
  }

  #transfer(): void {
    const peer = this.#peer;
    while (this.#outgoing !== null) {
      const { chunk, offset, taken } = this.#outgoing;
      if (offset === chunk.length || this.#cutOff || peer.destroyed) {
        this.#outgoing = null;
        taken();
      } else if (peer.#hasRoom) {
        const piece = chunk.subarray(offset, offset + PIECE_BYTES);
        this.#outgoing.offset += piece.length;
        // Set first: push() may call _read before it returns.
        peer.#hasRoom = false;
        if (peer.push(Buffer.from(piece))) peer.#hasRoom = true;
      } else {
        return;
      }
    }
    const finish = this.#finish;
    if (finish === null) return;
    this.#finish = null;
    if (!this.#cutOff && !peer.destroyed) {
      peer.#peerEnded = true;
      peer.push(null);
    }
    finish();
  }
}
