import type { Duplex } from 'node:stream';
import { endErrorOf, FAILED, PEER_STOPPED } from './byte-stream.ts';
import { TransportError, toTransportError } from './errors.ts';
import type { CloseReason } from './facts.ts';
import type { StreamInput } from './stream-input.ts';
import type { StreamOutput } from './stream-output.ts';

/** How far the closing handshake of RFC 6120 §4.4 has come, seen from this side. */
type Phase =
  /** We may send. */
  | 'open'
  /** We send nothing more; the peer's closing tag and the end of its bytes are awaited. */
  | 'closing'
  /** The reason is settled; what is left is to give the bytes back. */
  | 'ended';

/** What the ending asks of its stanza stream, and tells it. */
export interface StreamEndingOwner {
  readonly id: string;
  readonly closeTimeoutMs: number;
  /** Not a byte of XML went either way, so there is nothing to close or to tell. */
  neverOpened(): boolean;
  /** Our half is about to end. */
  writeClosingTag(): void;
  /** Called once. */
  onSettled(reason: CloseReason): void;
}

/**
 * How a stanza stream ends, from the first sign of it until the bytes are given back. Whatever comes first settles the
 * reason; the rest only gives the bytes back.
 */
export class StreamEnding {
  readonly closed: Promise<CloseReason>;

  readonly #bytes: Duplex;
  readonly #input: StreamInput;
  readonly #output: StreamOutput;
  readonly #owner: StreamEndingOwner;
  readonly #released: Promise<void>;
  #settleClosed: (reason: CloseReason) => void = () => undefined;

  #phase: Phase = 'open';
  #reason: CloseReason | null = null;
  /** Who sent the first closing tag. */
  #closedBy: 'local' | 'peer' = 'local';
  #peerTagCame = false;
  #bytesEnded = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytes: Duplex, input: StreamInput, output: StreamOutput, owner: StreamEndingOwner) {
    this.#bytes = bytes;
    this.#input = input;
    this.#output = output;
    this.#owner = owner;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#released = new Promise((resolve) => {
      bytes.once('close', resolve);
    });
    bytes.on('error', (error) => this.#onBytesFailed(toTransportError(error, `stanza stream ${owner.id}`)));
    bytes.on('close', () => this.#onBytesClosed());
    bytes.on('finish', () => this.#endCleanlyIfDone());
    bytes.on(FAILED, (error: TransportError) => this.#onBytesFailing(error));
    bytes.on(PEER_STOPPED, (error: TransportError) => this.#onPeerStopped(error));
    // A transport may hand over bytes that have failed already.
    const failure = endErrorOf(bytes);
    if (failure !== null) this.#onBytesFailing(failure);
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** Null until it is settled. */
  get reason(): CloseReason | null {
    return this.#reason;
  }

  /** Starts the closing handshake; resolves when the bytes are given back. */
  close(): Promise<void> {
    if (this.#phase === 'open') {
      this.#closedBy = 'local';
      this.#startClosing();
      // Of a stream that was never opened there is no closing tag to wait for, and whatever still comes means nothing.
      if (this.#owner.neverOpened()) this.#input.discard();
      else this.#input.drain();
    } else if (this.#reason?.clean === false) {
      // What came before the failure is given up: the caller has just said that it wants no more.
      this.#input.finish(this.#reason);
      if (this.#bytesEnded || endErrorOf(this.#bytes) !== null) this.#bytes.destroy();
    }
    return this.#released;
  }

  /** Ends with an error that the peer is not told any more: it was told, it knows, or it is past hearing. */
  fail(error: TransportError, by: 'local' | 'peer'): void {
    if (this.#phase === 'ended') return;
    const wasOpen = this.#phase === 'open';
    this.#phase = 'closing';
    if (wasOpen) this.#endOurHalf();
    this.#output.fail(error);
    this.#finish({ clean: false, by, error });
    if (this.#owner.neverOpened()) this.#bytes.destroy();
    else if (!this.#bytes.destroyed) this.#releaseInTime();
  }

  /** The reader has come to the peer's closing tag. */
  onPeerTag(): void {
    this.#peerTagCame = true;
    if (this.#phase === 'open') {
      this.#closedBy = 'peer';
      this.#startClosing();
    }
    this.#input.discard();
    this.#endCleanlyIfDone();
  }

  /** The peer's bytes have ended, and all of them were delivered. */
  onBytesEnded(failure: TransportError | null): void {
    this.#bytesEnded = true;
    if (this.#reason !== null) {
      this.#input.finish(this.#reason);
    } else if (failure !== null) {
      this.fail(failure, 'peer');
    } else if (!this.#peerTagCame && !this.#owner.neverOpened()) {
      this.fail(new TransportError('XMPP_PEER_CLOSED', 'the bytes ended without a closing tag'), 'peer');
    } else {
      this.#endCleanlyIfDone();
    }
  }

  // The bytes.

  /** The bytes end with a failure after what has come: it is known at once, and the consumer hears of it in order. */
  #onBytesFailing(error: TransportError): void {
    this.#output.fail(error);
    this.#bytes.end();
    this.#settle({ clean: false, by: 'peer', error });
  }

  #onBytesFailed(error: TransportError): void {
    this.#output.fail(error);
    const ours = error.category === 'aborted' || error.category === 'shutdown';
    this.#finish({ clean: false, by: ours ? 'local' : 'peer', error });
  }

  #onBytesClosed(): void {
    // Both halves have ended in order: the consumer may still take what came before, once we close within the timeout.
    if (this.#phase !== 'ended' && this.#bytes.readableEnded && this.#bytes.writableFinished) return;
    clearTimeout(this.#timer);
    if (this.#reason !== null) this.#input.finish(this.#reason);
    else
      this.#onBytesFailed(new TransportError('XMPP_PEER_RESET', 'the bytes were closed before the stream had ended'));
  }

  #onPeerStopped(error: TransportError): void {
    this.#output.fail(error);
    this.#bytes.end();
  }

  // The steps.

  #startClosing(): void {
    this.#phase = 'closing';
    this.#endOurHalf();
    this.#releaseInTime();
  }

  #endOurHalf(): void {
    this.#owner.writeClosingTag();
    this.#output.end();
  }

  #endCleanlyIfDone(): void {
    if (this.#phase !== 'closing' || !this.#bytesEnded || !this.#bytes.writableFinished) return;
    const error = this.#output.failure;
    this.#finish(error === null ? { clean: true, by: this.#closedBy, error } : { clean: false, by: 'peer', error });
  }

  /** Settles, and tells the consumer now. */
  #finish(reason: CloseReason): void {
    this.#input.finish(this.#settle(reason));
  }

  /** @returns what it was settled to: by this call, or before. */
  #settle(reason: CloseReason): CloseReason {
    if (this.#reason !== null) return this.#reason;
    this.#phase = 'ended';
    this.#reason = reason;
    if (this.#bytes.closed) clearTimeout(this.#timer);
    this.#owner.onSettled(reason);
    this.#settleClosed(reason);
    return reason;
  }

  /** Whatever is still open after the close timeout is given up. */
  #releaseInTime(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const error = new TransportError('XMPP_CLOSE_TIMEOUT', 'the peer did not finish closing in time');
      this.#output.fail(error);
      this.#finish({ clean: false, by: 'peer', error });
      this.#bytes.destroy();
    }, this.#owner.closeTimeoutMs);
  }
}
