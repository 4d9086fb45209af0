import type { ConsumeOptions, StreamEvent } from './connection.ts';
import { TransportError } from './errors.ts';
import type { CloseReason } from './facts.ts';
import type { Stanza } from './xml/stanza.ts';

/** The one who takes a stream's events. */
export interface Consumer {
  onEvent(event: StreamEvent): void;
  /** After the last event. */
  onEnd(reason: CloseReason): void;
}

/** What a consumer may ask of the stream it is attached to. */
export interface EventSource {
  /** Attaches `consumer`, paused. @throws TransportError `XMPP_INVALID_STATE` when there is one already. */
  attach(consumer: Consumer): void;
  detach(consumer: Consumer): void;
  /** Delivers no further event, from now on. */
  pause(): void;
  /** Goes on delivering, perhaps at once. */
  resume(): void;
  /** We are closing: the peer's last stanzas may be taken ahead of the consumer, so that closing need not wait for it. */
  readonly isClosing: boolean;
}

interface Waiter {
  resolve(result: IteratorResult<StreamEvent, undefined>): void;
  reject(error: unknown): void;
}

/**
 * While closing no more is taken ahead once this many bytes wait for the consumer: as much as the largest stanza has by
 * default, so that the stanza that goes beyond it doubles it at most.
 */
const MOST_BYTES_AHEAD = 262_144;

/** About what an event costs besides its source, so that very many very small stanzas count too. */
const BYTES_PER_EVENT = 256;

/**
 * Takes a stream's events one at a time: the stream is paused whenever nobody waits for the next one, so that a slow
 * consumer stops the peer, and nothing is parsed before it is asked for.
 */
export class PullConsumer implements AsyncIterator<StreamEvent, undefined>, AsyncIterable<StreamEvent>, Consumer {
  readonly #source: EventSource;
  readonly #queue: StreamEvent[] = [];
  #queuedBytes = 0;
  #waiters: Waiter[] = [];
  #end: CloseReason | null = null;
  #state: 'new' | 'attached' | 'left' = 'new';

  constructor(source: EventSource) {
    this.#source = source;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<StreamEvent, undefined>> {
    if (this.#state === 'new') {
      this.#source.attach(this);
      this.#state = 'attached';
    }
    const event = this.#queue.shift();
    if (event !== undefined) {
      this.#queuedBytes -= costOf(event);
      return { value: event, done: false };
    }
    if (this.#end !== null) return this.#finish(this.#end);
    if (this.#state === 'left') return { value: undefined, done: true };
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#source.resume();
    });
  }

  async return(): Promise<IteratorResult<StreamEvent, undefined>> {
    this.leave();
    return { value: undefined, done: true };
  }

  /** Detaches; whoever waits gets the end of the iteration. */
  leave(): void {
    if (this.#state === 'attached') this.#source.detach(this);
    this.#state = 'left';
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve({ value: undefined, done: true });
  }

  /** Called by the stream. */
  onEvent(event: StreamEvent): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#queue.push(event);
      this.#queuedBytes += costOf(event);
    } else {
      waiter.resolve({ value: event, done: false });
    }
    if (this.#waiters.length === 0 && !this.#mayTakeAhead()) this.#source.pause();
  }

  /** Called by the stream. */
  onEnd(reason: CloseReason): void {
    this.#end = reason;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (reason.clean) waiter.resolve({ value: undefined, done: true });
      else waiter.reject(reason.error);
    }
    if (waiters.length > 0) this.#end = { clean: true, by: reason.by, error: null };
  }

  #mayTakeAhead(): boolean {
    return this.#source.isClosing && this.#queuedBytes < MOST_BYTES_AHEAD;
  }

  #finish(reason: CloseReason): IteratorResult<StreamEvent, undefined> {
    // An iterator tells its error once; after that it is simply done.
    this.#end = { clean: true, by: reason.by, error: null };
    if (!reason.clean) throw reason.error;
    return { value: undefined, done: true };
  }
}

function costOf(event: StreamEvent): number {
  return BYTES_PER_EVENT + (event.type === 'stanza' ? event.stanza.source.length : 0);
}

/** The stanzas among a consumer's events. */
export function stanzasOf(events: PullConsumer): AsyncIterableIterator<Stanza, undefined> {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next(): Promise<IteratorResult<Stanza, undefined>> {
      for (;;) {
        const { value, done } = await events.next();
        if (done) return { value: undefined, done: true };
        if (value.type === 'stanza') return { value: value.stanza, done: false };
      }
    },
    async return(): Promise<IteratorResult<Stanza, undefined>> {
      events.leave();
      return { value: undefined, done: true };
    },
  };
}

/**
 * Calls `handler` for each stanza, at most `concurrency` at a time, and pulls no faster than they finish.
 * @param onHandlerError a handler threw or rejected; it is expected to end the stream.
 */
export async function consumeStanzas(
  source: EventSource,
  handler: (stanza: Stanza) => unknown,
  { concurrency = 1, signal }: ConsumeOptions,
  onHandlerError: (thrown: unknown) => void,
): Promise<void> {
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new TransportError('XMPP_BAD_OPTION', `concurrency: ${concurrency} is not a whole number from 1`);
  }
  if (signal?.aborted) throw new TransportError('XMPP_ABORTED', 'consuming was aborted');
  const events = new PullConsumer(source);
  const leave = (): void => events.leave();
  signal?.addEventListener('abort', leave, { once: true });
  const work = async (): Promise<void> => {
    for (;;) {
      const { value, done } = await events.next();
      if (done) return;
      if (value.type !== 'stanza') continue;
      try {
        await handler(value.stanza);
      } catch (thrown) {
        onHandlerError(thrown);
      }
    }
  };
  try {
    const results = await Promise.allSettled(Array.from({ length: concurrency }, work));
    if (signal?.aborted) throw new TransportError('XMPP_ABORTED', 'consuming was aborted');
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  } finally {
    signal?.removeEventListener('abort', leave);
    events.leave();
  }
}
