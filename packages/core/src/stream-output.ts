import type { Duplex } from 'node:stream';
import { TransportError, toTransportError } from './errors.ts';
import { gatherOutput } from './gathered-output.ts';
import type { Limits } from './limits.ts';

interface Waiter {
  resolve(): void;
  reject(error: TransportError): void;
}

/**
 * The writing half of a stanza stream. Texts of one turn of the event loop are joined and written once, which costs the
 * transport one chunk instead of one per stanza.
 */
export class StreamOutput {
  readonly #bytes: Duplex;
  readonly #highWaterMark: number;
  readonly #cap: number;
  readonly #onOverflow: () => void;
  #waiters: Waiter[] = [];
  #pending = '';
  #pendingBytes = 0;
  #scheduled = false;
  #ended = false;
  #held = false;
  /** The end has come while everything was held. */
  #endIsDue = false;
  #failure: TransportError | null = null;
  #overflowed = false;

  /** @param onOverflow the queue has passed {@link Limits.maxSendQueueBytes}; called at most once. */
  constructor(bytes: Duplex, limits: Limits, onOverflow: () => void) {
    this.#bytes = bytes;
    this.#highWaterMark = limits.sendHighWaterMarkBytes;
    this.#cap = limits.maxSendQueueBytes;
    this.#onOverflow = onOverflow;
  }

  /** Why nothing more can be written; null while it can. */
  get failure(): TransportError | null {
    return this.#failure;
  }

  get queuedBytes(): number {
    return this.#failure === null ? this.#pendingBytes + this.#bytes.writableLength : 0;
  }

  /** Queues `text`; false when the queue has reached the high-water mark. */
  write(text: string): boolean {
    if (this.#ended || this.#failure !== null) return false;
    this.#pending += text;
    this.#pendingBytes += Buffer.byteLength(text);
    if (!this.#scheduled) {
      this.#scheduled = true;
      gatherOutput(this.#flush);
    }
    const queued = this.queuedBytes;
    if (queued > this.#cap && !this.#overflowed) {
      this.#overflowed = true;
      this.#onOverflow();
    }
    return queued < this.#highWaterMark;
  }

  /** What was queued before is written now; what comes, and the end, waits for {@link release}. */
  hold(): void {
    this.#write();
    this.#held = true;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#write();
    if (this.#endIsDue) this.#bytes.end();
  }

  /** Writes what is queued, then ends the bytes (half-close). */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#held) {
      this.#endIsDue = true;
      return;
    }
    this.#write();
    this.#bytes.end();
  }

  /** Gives up what is queued; waiters and later writes fail with `error`. */
  fail(error: TransportError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#ended = true;
    // Last words that are held, such as a stream error, are still to be said.
    if (!this.#endIsDue) {
      this.#pending = '';
      this.#pendingBytes = 0;
    }
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(error);
  }

  /** Resolves below the high-water mark. */
  drained(signal?: AbortSignal): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(aborted());
    if (this.queuedBytes < this.#highWaterMark) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(aborted());
      };
      const waiter: Waiter = {
        resolve: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#write();
  };

  #write(): void {
    if (this.#held || this.#pending === '' || this.#bytes.destroyed) return;
    const text = this.#pending;
    this.#pending = '';
    this.#pendingBytes = 0;
    try {
      this.#bytes.write(text, 'utf8', this.#onTaken);
    } catch (thrown) {
      // A transport that throws must not keep others from handing over what they have.
      this.#bytes.destroy(toTransportError(thrown, 'byte stream'));
    }
  }

  readonly #onTaken = (error?: Error | null): void => {
    // Not taken, but given up; the bytes tell why.
    if (error || this.#bytes.destroyed) return;
    if (this.#waiters.length === 0 || this.#failure !== null || this.queuedBytes >= this.#highWaterMark) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve();
  };
}

function aborted(): TransportError {
  return new TransportError('XMPP_ABORTED', 'waiting for the send queue was aborted');
}
