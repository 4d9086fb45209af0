import type { Duplex } from 'node:stream';
import { endErrorOf, tellUnwanted } from './byte-stream.ts';
import type { StreamEvent } from './connection.ts';
import { TransportError } from './errors.ts';
import type { CloseReason } from './facts.ts';
import type { Consumer, EventSource } from './pull-consumer.ts';
import type { XmlStreamReader } from './xml/reader.ts';

/** What the input tells its stanza stream. */
export interface StreamInputOwner {
  /** A handler of the consumer threw. */
  onHandlerError(thrown: unknown): void;
  /** The peer's bytes have ended, after everything before was delivered. */
  onBytesEnded(error: TransportError | null): void;
}

/** Who decides whether bytes are read. */
type Mode =
  /** The consumer, by its demand; without one nothing is read. */
  | 'consumer'
  /** Nobody wants the stanzas any more, but the peer's closing tag is still awaited. */
  | 'drain'
  /** Nothing that follows means anything; only the end of the bytes is awaited. */
  | 'discard';

/** The reading half of a stanza stream: from bytes through the reader to the one consumer, at the consumer's pace. */
export class StreamInput implements EventSource {
  readonly #bytes: Duplex;
  readonly #reader: XmlStreamReader;
  readonly #owner: StreamInputOwner;
  #consumer: Consumer | null = null;
  #mode: Mode = 'consumer';
  #wanted = false;
  #started = false;
  #ended = false;
  #endTold = false;
  #closing = false;
  #held = false;
  #finished: CloseReason | null = null;

  constructor(bytes: Duplex, reader: XmlStreamReader, owner: StreamInputOwner) {
    this.#bytes = bytes;
    this.#reader = reader;
    this.#owner = owner;
    reader.pause();
    bytes.on('end', () => {
      this.#ended = true;
      this.#flow();
    });
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  attach(consumer: Consumer): void {
    if (this.#consumer !== null) {
      throw new TransportError('XMPP_INVALID_STATE', 'the stanza stream has a consumer already');
    }
    this.#consumer = consumer;
    if (this.#mode === 'drain') this.#mode = 'consumer';
    if (this.#finished !== null) process.nextTick(() => this.#tell());
  }

  detach(consumer: Consumer): void {
    if (this.#consumer !== consumer) return;
    this.#consumer = null;
    this.pause();
    if (this.#closing) this.drain();
  }

  pause(): void {
    this.#wanted = false;
    if (this.#mode === 'consumer') this.#reader.pause();
  }

  resume(): void {
    this.#wanted = true;
    this.#flow();
  }

  /** Nothing further is read from the bytes or told to the consumer, until {@link release}. */
  hold(): void {
    this.#held = true;
    this.#reader.pause();
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#flow();
  }

  /** Our side is closing: the peer's closing tag is to be reached, with or without a consumer. */
  drain(): void {
    this.#closing = true;
    if (this.#mode === 'consumer' && this.#consumer === null) this.#mode = 'drain';
    else this.#wanted = true;
    this.#flow();
  }

  /** Reads the bytes to their end without looking at them. */
  discard(): void {
    this.#mode = 'discard';
    this.#reader.pause();
    tellUnwanted(this.#bytes);
    this.#flow();
  }

  deliver(event: StreamEvent): void {
    const consumer = this.#consumer;
    if (consumer === null) return;
    try {
      consumer.onEvent(event);
    } catch (thrown) {
      this.#owner.onHandlerError(thrown);
    }
  }

  /** No event follows: the consumer, now or when it comes, is told `reason`. */
  finish(reason: CloseReason): void {
    if (this.#finished !== null) return;
    this.#finished = reason;
    this.discard();
    this.#tell();
  }

  #tell(): void {
    const reason = this.#finished;
    if (this.#consumer === null || reason === null) return;
    if (reason.clean) this.deliver({ type: 'close', reason });
    const consumer = this.#consumer;
    this.#consumer = null;
    try {
      consumer?.onEnd(reason);
    } catch (thrown) {
      this.#owner.onHandlerError(thrown);
    }
  }

  #mayRead(): boolean {
    if (this.#mode === 'discard') return true;
    return !this.#held && (this.#mode === 'drain' || (this.#wanted && this.#consumer !== null));
  }

  #flow(): void {
    if (!this.#mayRead()) return;
    if (this.#mode !== 'discard') this.#reader.resume();
    // A callback of the reader may have paused again.
    if (!this.#mayRead()) return;
    if (!this.#started) {
      this.#started = true;
      this.#bytes.on('data', this.#onData);
    } else if (this.#bytes.isPaused()) {
      this.#bytes.resume();
    }
    // A consumer may close the stream from within a callback; the end comes after all the reader still holds.
    if (this.#ended && !this.#endTold && !this.#reader.isRunning) {
      this.#endTold = true;
      this.#owner.onBytesEnded(endErrorOf(this.#bytes));
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#mode !== 'discard') this.#reader.feed(chunk);
    if (!this.#mayRead()) this.#bytes.pause();
  };
}
