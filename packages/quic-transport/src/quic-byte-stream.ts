import { Duplex } from 'node:stream';
import { DEFAULT_URGENCY, endWithError, stopWriting, TransportError } from '@stanzaport/core';
import type { BlockedStream } from './blocked-streams.ts';
import { type EngineConnection, EngineError } from './engine/port.ts';
import { APPLICATION_CODE } from './errors.ts';
import type { ReadSlab } from './read-slab.ts';

/** What a byte stream needs of its connection. */
export interface ByteStreamHost {
  readonly engine: EngineConnection;
  readonly slab: ReadSlab;
  /** Something was written: poll the connection in this turn or the next. */
  mark(): void;
  /** A reader wants what may have come already: poll the connection for input. */
  markForInput(): void;
  /** The stream waits until the engine takes more: call `onWritable` at the next chance. */
  awaitWritable(stream: QuicByteStream): void;
  /** Whether it has to wait: a more urgent stream does, or all do for a moment. */
  mustWait(stream: QuicByteStream): boolean;
  /** Bytes of the peer were handed to the reader. */
  delivered(bytes: number): void;
  /** Both directions are over, as far as this side is concerned. */
  onFinished(stream: QuicByteStream): void;
}

type Callback = (error?: Error | null) => void;

/** The half we write: what is left to do for it. */
type Writing =
  | { readonly state: 'idle' }
  | { readonly state: 'blocked'; readonly rest: Uint8Array; readonly fin: boolean; readonly done: Callback }
  /** FIN is given to the engine, the direction was reset, or the peer does not want it: what is written goes nowhere. */
  | { readonly state: 'over' };

const IDLE: Writing = { state: 'idle' };
const OVER: Writing = { state: 'over' };
const NO_BYTES = new Uint8Array(0);

/** One bidirectional QUIC stream (RFC 9000 §2) as the bytes of a stanza stream. */
export class QuicByteStream extends Duplex implements BlockedStream {
  readonly streamId: number;
  readonly #host: ByteStreamHost;
  /** The reader wants more; nothing is taken from the engine before it does, so that flow control stops the peer. */
  #wanted = false;
  #readOver = false;
  #writing: Writing = IDLE;
  #finished = false;
  #urgency: number = DEFAULT_URGENCY;

  constructor(streamId: number, host: ByteStreamHost) {
    // One chunk is enough to hold ahead of a reader that has paused: the window of the stream holds the rest.
    super({ readableHighWaterMark: 1, writableHighWaterMark: host.slab.bytes });
    this.streamId = streamId;
    this.#host = host;
  }

  /** The connection has data, FIN or a reset for this stream. */
  onReadable(): void {
    const { engine, slab } = this.#host;
    if (!this.#wanted) {
      this.#lookForReset();
      return;
    }
    while (this.#wanted && !this.#readOver) {
      const space = slab.space();
      let result: readonly [bytes: number, fin: boolean] | null;
      try {
        result = engine.read(this.streamId, space);
      } catch (thrown) {
        this.#onReadFailed(thrown);
        return;
      }
      if (result === null) return;
      const [bytes, fin] = result;
      if (bytes > 0) {
        this.#host.delivered(bytes);
        this.#deliver(slab.take(bytes));
      }
      if (fin) {
        this.#readOver = true;
        this.push(null);
        this.#finishIfOver();
      } else if (bytes < space.length) {
        // That was all; asking again would only tell so.
        return;
      }
    }
  }

  /**
   * As `push`, for a reader that takes every chunk as it comes: without the tick in which a Readable asks whether there is
   * more. Its wish stays open, so {@link #wanted} stays true, and what comes after it has paused is kept by `push`.
   */
  #deliver(chunk: Buffer): void {
    if (this.readableFlowing === true && this.readableLength === 0) this.emit('data', chunk);
    else this.#wanted = this.push(chunk);
  }

  /** A reset counts at once, also while the reader has paused; reading nothing tells of one and takes nothing. */
  #lookForReset(): void {
    if (this.#readOver) return;
    try {
      this.#host.engine.read(this.streamId, NO_BYTES);
    } catch (thrown) {
      this.#onReadFailed(thrown);
    }
  }

  get wantsToRead(): boolean {
    return this.#wanted && !this.#readOver;
  }

  get urgency(): number {
    return this.#urgency;
  }

  /** Orders what we send (RFC 9218 §4.1). The usual urgency is never told to the engine, which begins with it. */
  setUrgency(urgency: number): void {
    if (urgency === this.#urgency) return;
    this.#urgency = urgency;
    if (this.#writing.state !== 'over') this.#host.engine.setUrgency(this.streamId, urgency);
  }

  get isBlocked(): boolean {
    return this.#writing.state === 'blocked';
  }

  onWritable(): boolean {
    const before = this.#writing;
    if (before.state !== 'blocked') return false;
    this.#writing = IDLE;
    this.#offer(before.rest, before.fin, before.done);
    const now: Writing = this.#writing;
    return now.state !== 'blocked' || now.done !== before.done || now.rest.length < before.rest.length;
  }

  /** The connection has ended: what was received is delivered, then `error`. */
  onConnectionEnded(error: TransportError): void {
    // The engine still holds what came before the end; it is read now, as nobody will poll any more.
    this.#drainEngine();
    this.#readOver = true;
    this.#finished = true;
    endWithError(this, error);
    this.#endWriting();
  }

  override _read(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#host.markForInput();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: Callback): void {
    this.#offerInOrder(chunk, false, done);
    this.#host.mark();
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: Callback): void {
    this.#offerInOrder(Buffer.concat(chunks.map(({ chunk }) => chunk)), false, done);
    this.#host.mark();
  }

  override _final(done: Callback): void {
    this.#offerInOrder(NO_BYTES, true, done);
    this.#host.mark();
  }

  override _destroy(error: Error | null, done: Callback): void {
    const { engine } = this.#host;
    // After our FIN the engine would keep a stream that is stopped for ever; what still comes is thrown away instead.
    const saysStop = !this.#readOver && this.#writing.state !== 'over';
    this.#readOver = true;
    if (saysStop) engine.stopReading(this.streamId, APPLICATION_CODE.error);
    if (this.#writing.state !== 'over') {
      engine.resetWriting(this.streamId, APPLICATION_CODE.error);
      this.#endWriting();
    }
    this.#finishIfOver();
    this.#host.mark();
    done(error);
  }

  /** Room that has come free belongs to more urgent streams that wait for it; later in this turn it may be ours. */
  #offerInOrder(bytes: Uint8Array, fin: boolean, done: Callback): void {
    if (this.#writing.state === 'idle' && this.#host.mustWait(this)) this.#block(bytes, fin, done);
    else this.#offer(bytes, fin, done);
  }

  #block(rest: Uint8Array, fin: boolean, done: Callback): void {
    this.#writing = { state: 'blocked', rest, fin, done };
    this.#host.awaitWritable(this);
  }

  #offer(bytes: Uint8Array, fin: boolean, done: Callback): void {
    if (this.#writing.state === 'over') {
      done();
      return;
    }
    let taken: number;
    try {
      taken = this.#host.engine.write(this.streamId, bytes, fin);
    } catch (thrown) {
      this.#onWriteFailed(thrown);
      done();
      return;
    }
    const complete = fin && bytes.length === 0 ? taken === 1 : taken === bytes.length;
    if (!complete) {
      this.#block(bytes.subarray(taken), fin, done);
      return;
    }
    if (fin) {
      this.#writing = OVER;
      this.#finishIfOver();
    }
    done();
  }

  #onReadFailed(thrown: unknown): void {
    this.#readOver = true;
    const code = thrown instanceof EngineError ? thrown.code : null;
    const error = new TransportError('XMPP_PEER_RESET', 'the peer reset the stream', {
      cause: thrown,
      ...(code === null ? {} : { quicCode: code }),
    });
    const isOver = this.#writing.state === 'over';
    // The stanza stream is over; a FIN of ours would say that it had ended in order.
    if (!isOver) this.#host.engine.resetWriting(this.streamId, APPLICATION_CODE.error);
    const writing = this.#writing;
    // First, as the end of the bytes would be written behind the reset.
    this.#writing = OVER;
    // Then, so that nobody takes what is given up for taken.
    endWithError(this, error);
    if (writing.state === 'blocked') writing.done();
    this.#finishIfOver();
  }

  #onWriteFailed(thrown: unknown): void {
    this.#writing = OVER;
    const stopped = thrown instanceof EngineError && thrown.failure === 'stream-stopped';
    const code = stopped ? thrown.code : null;
    const error = new TransportError('XMPP_PEER_RESET', 'the peer wants no more of this stream', {
      cause: thrown,
      ...(code === null ? {} : { quicCode: code }),
    });
    stopWriting(this, error);
    this.#finishIfOver();
  }

  #endWriting(): void {
    const writing = this.#writing;
    this.#writing = OVER;
    if (writing.state === 'blocked') writing.done();
  }

  #drainEngine(): void {
    const { engine, slab } = this.#host;
    try {
      while (!this.#readOver) {
        const result = engine.read(this.streamId, slab.space());
        if (result === null) return;
        const [bytes, fin] = result;
        if (bytes > 0) this.push(slab.take(bytes));
        if (fin) {
          this.#readOver = true;
          this.push(null);
        }
      }
    } catch {
      // Reset or unknown: there is nothing more to be had.
    }
  }

  #finishIfOver(): void {
    if (this.#finished || !this.#readOver || this.#writing.state !== 'over') return;
    this.#finished = true;
    this.#host.onFinished(this);
  }
}
