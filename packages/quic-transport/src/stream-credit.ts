import { TransportError, toTransportError } from '@stanzaport/core';
import { type EngineConnection, EngineError } from './engine/port.ts';

interface Waiter {
  resolve(streamId: number): void;
  reject(error: TransportError): void;
}

/** Streams of one side and direction are numbered in steps of it (RFC 9000 §2.1). */
const STREAM_ID_STEP = 4;

/** Longest delay a Node.js timer can hold. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const NO_BYTES = new Uint8Array(0);

/** The streams this side may open: as many as the peer grants (RFC 9000 §4.6), first come, first served. */
export class StreamCredit {
  readonly #engine: EngineConnection;
  readonly #waiters = new Set<Waiter>();
  #nextStreamId: number;

  constructor(engine: EngineConnection, firstStreamId: number) {
    this.#engine = engine;
    this.#nextStreamId = firstStreamId;
  }

  /** Whether anyone waits. */
  get isAwaited(): boolean {
    return this.#waiters.size > 0;
  }

  /**
   * A new stream, or null where the peer grants none, or those who wait come first.
   * @throws EngineError
   */
  take(): number | null {
    return this.isAwaited ? null : this.#open();
  }

  /** Gives those who wait what the peer has granted meanwhile. */
  grant(): void {
    if (this.#engine.peerStreamsLeft === 0) return;
    for (const waiter of [...this.#waiters]) {
      try {
        const streamId = this.#open();
        if (streamId === null) return;
        waiter.resolve(streamId);
      } catch (thrown) {
        waiter.reject(toTransportError(thrown, 'opening a stream'));
      }
    }
  }

  /** Nothing will be granted any more. */
  fail(error: TransportError): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }

  /** @throws TransportError `XMPP_LIMIT_EXCEEDED` after `waitMs`, `XMPP_ABORTED`, or that of {@link fail}. */
  wait(waitMs: number, signal: AbortSignal | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: (streamId) => {
          stop();
          resolve(streamId);
        },
        reject: (error) => {
          stop();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(new TransportError('XMPP_ABORTED', 'opening a stream was aborted'));
      const timer = setTimeout(() => waiter.reject(noFurtherStream()), waitMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** An empty write makes the engine count the stream, without a packet for it. */
  #open(): number | null {
    const streamId = this.#nextStreamId;
    try {
      this.#engine.write(streamId, NO_BYTES, false);
    } catch (thrown) {
      if (thrown instanceof EngineError && thrown.failure === 'stream-limit') return null;
      throw thrown;
    }
    this.#nextStreamId += STREAM_ID_STEP;
    return streamId;
  }
}

/** @throws TransportError `XMPP_BAD_OPTION` for what no timer can hold. */
export function checkWaitMs(waitMs: number): void {
  if (Number.isInteger(waitMs) && waitMs >= 0 && waitMs <= LONGEST_TIMER_MS) return;
  throw new TransportError('XMPP_BAD_OPTION', `waitMs: ${waitMs} is not a whole number from 0 to ${LONGEST_TIMER_MS}`);
}

/** What one gets who cannot wait, or has waited long enough. */
export function noFurtherStream(): TransportError {
  return new TransportError('XMPP_LIMIT_EXCEEDED', 'the peer grants no further stream');
}
