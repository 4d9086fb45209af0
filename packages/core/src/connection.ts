import type { Element } from '@xmpp/xml';
import type { Observable } from 'rxjs';
import type { Cancellable } from './cancellable.ts';
import type { TransportError } from './errors.ts';
import type { CloseReason, ConnectionKind, NetworkPath, Role } from './facts.ts';
import type { ConnectionSecurity } from './security.ts';
import type { StreamError } from './stream-error.ts';
import type { StreamHeader, StreamHeaderFields } from './stream-header.ts';
import type { Stanza } from './xml/stanza.ts';

/** How {@link Connection.openStream} opens a stream. */
export interface OpenStreamOptions extends Cancellable {
  /**
   * How what this side sends on the stream is ordered among what it sends on the other streams of the connection: 0 goes
   * first, 7 last (the urgency of RFC 9218 §4.1). Transports with one order for all bytes check it and do nothing more.
   * @defaultValue 3
   */
  readonly urgency?: number;
  /**
   * How long to wait, in milliseconds, where the peer grants streams one by one (QUIC, RFC 9000 §4.6); 0 not at all.
   * @defaultValue 30,000
   */
  readonly waitMs?: number;
}

/** One secured association with a peer: a QUIC connection, a TLS connection. */
export interface Connection extends AsyncDisposable {
  /** Unique in this process; found in every log record of the connection. */
  readonly id: string;
  readonly transport: string;
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: ConnectionSecurity;
  /**
   * Whether the handshake came to its end; settles once and never rejects. On nearly every connection it is true from the
   * beginning. Where 0-RTT is switched on, a connection is here before its handshake is complete, and may turn out to be
   * a replay (RFC 8446 §8) or, for the initiating entity, to lead to somebody who cannot prove the domain; it then ends
   * with an error and this is false. Until then nothing but stream headers, and answers to them, passes.
   */
  readonly handshakeCompleted: Promise<boolean>;
  /** The current addresses at once, then after every migration; completes at the end. */
  readonly path$: Observable<NetworkPath>;
  /**
   * Streams opened by the peer, each once. What arrives before the first subscription waits for it. Completes on a
   * clean end of the connection, else errors once.
   */
  readonly streams$: Observable<StanzaStream>;
  /**
   * Opens a stanza stream; the caller sends the first header.
   * @throws TransportError `XMPP_LIMIT_EXCEEDED` where there is no further stream, `XMPP_INVALID_STATE` after the end,
   *   `XMPP_BAD_OPTION`, `XMPP_ABORTED`.
   */
  openStream(options?: OpenStreamOptions): Promise<StanzaStream>;
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
  /**
   * Whether the peer's header came before the handshake was complete (0-RTT), and so may be a replay: answer it, also
   * with the stream features, but do nothing that has an effect before {@link Connection.handshakeCompleted} is true.
   */
  readonly early: boolean;
  /** Bytes accepted by `send` that the transport has not taken yet. */
  readonly queuedBytes: number;
  /** As in {@link OpenStreamOptions.urgency}; each side has its own, for what it sends. */
  readonly urgency: number;
  /**
   * Changes {@link urgency}, also for bytes that wait to be sent already; without effect after the end.
   * @throws TransportError `XMPP_BAD_OPTION` when it is no whole number from 0 to 7.
   */
  setUrgency(urgency: number): void;

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
