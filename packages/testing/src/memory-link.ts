import { createMemoryByteStreams, type MemoryByteStream } from './memory-byte-stream.ts';

/** How one end of a link says goodbye. */
export type LinkEnding = 'in-order' | 'with-error';

/** What the owner of a link's end wants to hear. */
export interface LinkHandlers {
  /** The other end has opened a byte stream. */
  onStream(bytes: MemoryByteStream): void;
  /** The other end has ended the link. Called at most once. */
  onEnd(ending: LinkEnding): void;
}

/** Makes the two ends of a link; each grants the other `maxStreams` byte streams at a time. */
export function createMemoryLink(options: { windowBytes: number; maxStreams: number }): [MemoryLinkEnd, MemoryLinkEnd] {
  const left = new MemoryLinkEnd(options);
  const right = new MemoryLinkEnd(options);
  left.joinTo(right);
  right.joinTo(left);
  return [left, right];
}

/**
 * One end of the wire between two memory connections: it carries byte streams, as a QUIC connection does, and tells the
 * other end of everything in a later turn of the event loop. It knows nothing of XML; a test that wants to send other
 * bytes than a stanza stream would takes one of its own ({@link MemoryNetwork.dial}).
 */
export class MemoryLinkEnd {
  readonly #windowBytes: number;
  #peer: MemoryLinkEnd = this;
  #handlers: LinkHandlers = { onStream: (bytes) => bytes.destroy(), onEnd: () => undefined };
  #credit: number;
  #ended = false;

  constructor({ windowBytes, maxStreams }: { readonly windowBytes: number; readonly maxStreams: number }) {
    this.#windowBytes = windowBytes;
    this.#credit = maxStreams;
  }

  /** @internal */
  joinTo(peer: MemoryLinkEnd): void {
    this.#peer = peer;
  }

  /** Says who hears of what happens; to be called before the turn is over. */
  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers;
  }

  /** Opens a byte stream, or returns null where the other end grants no further one. */
  open(): MemoryByteStream | null {
    if (this.#ended || this.#credit === 0) return null;
    this.#credit -= 1;
    const [ours, theirs] = createMemoryByteStreams(this.#windowBytes);
    theirs.once('close', () => {
      this.#credit += 1;
    });
    setImmediate(() => this.#peer.#accept(theirs));
    return ours;
  }

  /** Ends the link for both ends; the owner of this one has ended its byte streams. Idempotent. */
  end(ending: LinkEnding): void {
    if (this.#ended) return;
    this.#ended = true;
    setImmediate(() => this.#peer.#hear(ending));
  }

  #accept(bytes: MemoryByteStream): void {
    if (this.#ended) bytes.destroy();
    else this.#handlers.onStream(bytes);
  }

  #hear(ending: LinkEnding): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handlers.onEnd(ending);
  }
}
