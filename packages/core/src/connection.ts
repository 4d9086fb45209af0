import type { Element } from '@xmpp/xml';
import type { Observable } from 'rxjs';
import type { Cancellable } from './cancellable.ts';
import type { TransportError } from './errors.ts';
import type { CloseReason, ConnectionKind, NetworkPath, Role } from './facts.ts';
import type { ConnectionSecurity } from './security.ts';
import type { StreamError } from './stream-error.ts';
import type { StreamHeader, StreamHeaderFields } from './stream-header.ts';
import type { Stanza } from './xml/stanza.ts';

/** One secured association with a peer: a QUIC connection, a TLS connection. */
export interface Connection extends AsyncDisposable {
  /** Unique in this process; found in every log record of the connection. */
  readonly id: string;
  readonly transport: string;
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: ConnectionSecurity;
  /** The current addresses at once, then after every migration; completes at the end. */
  readonly path$: Observable<NetworkPath>;
  /**
   * Streams opened by the peer, each once. What arrives before the first subscription waits for it. Completes on a
   * clean end of the connection, else errors once.
   */
  readonly streams$: Observable<StanzaStream>;
  /**
   * Opens a stanza stream; the caller sends the first header.
   * Where the peer grants streams one by one (QUIC), it waits for one up to 30 seconds or until the signal says so.
   * @throws TransportError `XMPP_LIMIT_EXCEEDED` where there is no further stream, `XMPP_INVALID_STATE` after the end,
   *   `XMPP_ABORTED`.
   */
  openStream(options?: Cancellable): Promise<StanzaStream>;
  /** Closes every stream by its closing handshake, then the connection. Idempotent, never rejects. */
  close(): Promise<void>;
  /** Ends at once, with `error` as the reason on this side; nothing further is delivered. Idempotent. */
  abort(error?: TransportError): void;
  /** Settles once, with the first cause; never rejects. */
  readonly closed: Promise<CloseReason>;
}

/** What happens on a stanza stream, in order, each exactly once. */
export type StreamEvent =
  /** The peer's stream header: the first, or one after a restart. */
  | { readonly type: 'header'; readonly header: StreamHeader }
  /** A first-level element: stanza or nonza. */
  | { readonly type: 'stanza'; readonly stanza: Stanza }
  /** The end of a stream that ended cleanly; a failure errors the observable instead. */
  | { readonly type: 'close'; readonly reason: CloseReason };

/** How {@link StanzaStream.consume} works. */
export interface ConsumeOptions extends Cancellable {
  /** Handlers running at once. @defaultValue 1, which keeps the order */
  readonly concurrency?: number;
}

/**
 * One XML stream in both directions, always already secured.
 *
 * Nothing is read from the peer before there is a consumer. There is one consumer at a time: a subscription of
 * `events$` or `stanzas$`, a `for await` loop, or `consume`; a second one gets `XMPP_INVALID_STATE`. When a consumer
 * leaves, the stream pauses, and the next one goes on at the very next event. A subscription is pushed to; the other
 * ways pull, so that a slow consumer slows the peer down.
 *
 * A handler that throws or rejects ends this stream with `internal-server-error` and disturbs nothing else.
 */
export interface StanzaStream extends AsyncIterable<Stanza>, AsyncDisposable {
  /** Unique within the connection. */
  readonly id: string;
  readonly connection: Connection;
  /** `initiating` where this side opened the stream. */
  readonly role: Role;
  /** The peer's header of the current stream, null until it has come. */
  readonly header: StreamHeader | null;
  /** Bytes accepted by `send` that the transport has not taken yet. */
  readonly queuedBytes: number;

  /** Everything in order. Completes after a clean close, errors once otherwise. */
  readonly events$: Observable<StreamEvent>;
  /** The first-level elements of `events$`. */
  readonly stanzas$: Observable<Stanza>;
  /** Everything in order, pulled: nothing is parsed ahead of the consumer. */
  events(): AsyncIterable<StreamEvent>;
  /**
   * Calls `handler` for every first-level element, `concurrency` of them at a time; resolves after a clean end.
   * @throws TransportError the error the stream ended with; `XMPP_ABORTED` when the signal says so.
   */
  consume(handler: (stanza: Stanza) => unknown, options?: ConsumeOptions): Promise<void>;

  /**
   * Sends a stream header: the first one, or the one after a restart. The receiving entity may leave out everything:
   * `from` is then the peer's `to`, `to` its `from`, and `id` 128 random bits (RFC 6120 §4.7.3). The initiating
   * entity gives at least `to`. Content namespace and version are the connection's.
   */
  sendHeader(fields?: StreamHeaderFields): void;
  /**
   * Sends one first-level element. A string is sent as it is: it has to be exactly one complete, well-formed element,
   * with everything from others escaped (`escapeText`, `escapeAttribute`). A {@link Stanza} of
   * the content namespace of its own stream is sent in the content namespace of this one (RFC 6120 §4.8.3).
   * @returns false above the high-water mark: wait for {@link drained} before sending more.
   * @throws TransportError the reason when the stream cannot send any more; `XMPP_LIMIT_EXCEEDED` when the element
   *   is larger than the peer announced to accept (XEP-0478), in which case nothing is sent.
   */
  send(stanza: Stanza | Element | string): boolean;
  /** Resolves when the queue is below the high-water mark; rejects when the stream ends first. */
  drained(options?: Cancellable): Promise<void>;
  /**
   * Call while handling the element that leads to a stream restart (RFC 6120 §4.3.3), such as the `<auth/>` that is
   * answered by `<success/>`, or the `<success/>` itself. The parser is dropped: the bytes behind that element are
   * a new stream, and the next event is its header.
   */
  restart(): void;
  /**
   * Tells that the peer is authenticated. Until then the receiving side of a stream refuses stanzas with
   * `not-authorized` (RFC 6120 §4.9.3.12), holds elements to the smaller limit, and ends after
   * {@link Limits.authenticationTimeoutMs}.
   */
  markAuthenticated(): void;

  /** Closing handshake of RFC 6120 §4.4: queued stanzas, closing tag, half-close, then the peer's. Idempotent, never rejects. */
  close(): Promise<void>;
  /** Sends `<stream:error/>` and the closing tag and ends; local consumers end with `error`. Idempotent. */
  abort(error: StreamError): void;
  /** Settles once, with the first cause; never rejects. */
  readonly closed: Promise<CloseReason>;
}
