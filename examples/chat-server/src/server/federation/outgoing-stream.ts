import { type Logger, type StanzaStream, StreamError, type TransportError, toTransportError } from '@stanzaport/core';
import type { StanzaErrorCondition } from '../stanza-reply.ts';
import { negotiate } from './negotiate.ts';
import { Outbox, type Outgoing } from './outbox.ts';

/** What an outgoing stream is made from. */
export interface OutgoingStreamOptions {
  readonly local: string;
  readonly remote: string;
  /** Opens the stream; its connection has proved `remote`. */
  readonly open: (signal: AbortSignal) => Promise<StanzaStream>;
  /** How long it may take from the first stanza to an authenticated stream, in milliseconds. */
  readonly negotiationTimeoutMs: number;
  readonly logger: Logger;
}

/** Carries stanzas from one domain to another, and no other pair's; they wait while it is not open or not writable. */
export class OutgoingStream {
  readonly #options: OutgoingStreamOptions;
  readonly #logger: Logger;
  readonly #outbox = new Outbox();
  readonly #abort = new AbortController();
  /** Null until it is authenticated, and while it takes no more. */
  #writable: StanzaStream | null = null;
  #hasEnded = false;

  constructor(options: OutgoingStreamOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ from: options.local, to: options.remote });
  }

  /** Resolves when the stream has ended, and everything that was not sent is bounced; never rejects. */
  async run(): Promise<void> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), this.#options.negotiationTimeoutMs);
    try {
      const stream = await this.#options.open(AbortSignal.any([this.#abort.signal, timeout.signal]));
      const onAbort = (): void => stream.abort(new StreamError('system-shutdown'));
      const onTimeout = (): void => stream.abort(new StreamError('connection-timeout'));
      this.#abort.signal.addEventListener('abort', onAbort, { once: true });
      timeout.signal.addEventListener('abort', onTimeout, { once: true });
      if (this.#abort.signal.aborted) onAbort();
      else if (timeout.signal.aborted) onTimeout();
      await this.#carry(stream, () => clearTimeout(timer));
    } catch (thrown) {
      this.#bounce(thrown);
    } finally {
      clearTimeout(timer);
      this.#hasEnded = true;
      this.#writable = null;
      this.#outbox.bounceAll('remote-server-timeout');
    }
  }

  /** @returns false when it has ended, and another one is needed. */
  send(outgoing: Outgoing): boolean {
    if (this.#hasEnded) return false;
    this.#outbox.put(outgoing);
    this.#flush();
    return true;
  }

  /** Ends it with `system-shutdown`. */
  stop(): void {
    this.#abort.abort();
  }

  async #carry(stream: StanzaStream, onOpen: () => void): Promise<void> {
    try {
      const events = await negotiate(stream, this.#options);
      onOpen();
      this.#logger.info({ streamId: stream.id, transport: stream.connection.transport }, 'the outgoing stream is open');
      this.#writable = stream;
      this.#flush();
      for (;;) {
        const { value, done } = await events.next();
        if (done || value.type === 'close') break;
        // Stanzas of the peer come on a stream that it opens itself (RFC 6120 §4.5).
        if (value.type === 'stanza') stream.abort(new StreamError('not-authorized'));
      }
    } catch (thrown) {
      // Where the stream has not ended by itself, the peer did not keep to the rules.
      stream.abort(new StreamError('undefined-condition'));
      throw thrown;
    } finally {
      this.#writable = null;
      await stream.close();
    }
  }

  #flush(): void {
    for (;;) {
      const stream = this.#writable;
      const outgoing = stream === null ? null : this.#outbox.take();
      if (stream === null || outgoing === null) return;
      try {
        if (!stream.send(outgoing.text)) this.#awaitDrained(stream);
      } catch (thrown) {
        // Larger than the peer announced to take, or the stream has just ended.
        const { code } = toTransportError(thrown, 'send');
        outgoing.bounce(code === 'XMPP_LIMIT_EXCEEDED' ? 'policy-violation' : 'remote-server-timeout');
      }
    }
  }

  #awaitDrained(stream: StanzaStream): void {
    this.#writable = null;
    stream.drained().then(
      () => {
        if (this.#hasEnded) return;
        this.#writable = stream;
        this.#flush();
      },
      // run() hears of it, too.
      () => undefined,
    );
  }

  #bounce(thrown: unknown): void {
    const error = toTransportError(thrown, 'federation');
    const level = this.#abort.signal.aborted ? 'debug' : 'warn';
    this.#logger[level]({ code: error.code, reason: error.message }, 'the outgoing stream failed');
    this.#outbox.bounceAll(conditionFor(error));
  }
}

/** RFC 6120 §8.3.3.16: not found is what has no address; §8.3.3.17: timeout is whatever went wrong after that. */
function conditionFor({ category }: TransportError): StanzaErrorCondition {
  return category === 'dns' ? 'remote-server-not-found' : 'remote-server-timeout';
}
