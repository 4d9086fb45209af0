import type { Duplex } from 'node:stream';
import type { Element } from '@xmpp/xml';
import type { Observable, Subscriber } from 'rxjs';
import type { Cancellable } from './cancellable.ts';
import { childLogger } from './child-logger.ts';
import type { Connection, ConsumeOptions, StanzaStream, StreamEvent } from './connection.ts';
import { TransportError, toTransportError } from './errors.ts';
import type { CloseReason, Role } from './facts.ts';
import { GuardedObservable } from './guarded-observable.ts';
import type { Limits } from './limits.ts';
import type { Logger } from './logger.ts';
import { type Consumer, consumeStanzas, PullConsumer, stanzasOf } from './pull-consumer.ts';
import { StreamEnding } from './stream-ending.ts';
import { StreamError } from './stream-error.ts';
import type { StreamHeader, StreamHeaderFields } from './stream-header.ts';
import { CONTENT_NAMESPACES, completeHeader, judgeHeader } from './stream-header-rules.ts';
import { StreamInput } from './stream-input.ts';
import {
  isFeatures,
  isStanza,
  isStarttls,
  isStreamError,
  parseStreamError,
  readFeatures,
  STARTTLS_FAILURE,
} from './stream-nonzas.ts';
import { StreamOutput } from './stream-output.ts';
import { checkUrgency, DEFAULT_URGENCY } from './urgency.ts';
import { XmlStreamReader } from './xml/reader.ts';
import { Stanza } from './xml/stanza.ts';
import { STREAM_END, writeElement, writeHeader, writeStreamError } from './xml/writer.ts';

/** What a stanza stream is made from, besides its bytes. */
export interface StanzaStreamOptions {
  /** Unique within the connection. */
  readonly id: string;
  readonly connection: Connection;
  /** `initiating` where this side opened the stream. */
  readonly role: Role;
  readonly limits: Limits;
  /** The connection's logger; the stream makes a child of it. */
  readonly logger: Logger;
  /**
   * Receiving role: which `to` is served here (RFC 6120 §4.9.3.6); asked with a domain in A-labels.
   * @defaultValue every valid domain
   */
  readonly serves?: (domain: string) => boolean;
  /**
   * Given where the connection's handshake is not complete yet (0-RTT): {@link Connection.handshakeCompleted}. Until it is
   * true, the stream lets its headers through and holds back everything behind them: the receiving entity what it
   * receives, the initiating entity what it sends (RFC 9001 §9.2).
   */
  readonly handshakeCompleted?: Promise<boolean>;
  /**
   * Receiving role: whether the certificate this side presented covers `to`, else the answer is `policy-violation`; asked
   * with a domain in A-labels that is served. @defaultValue not asked: the initiating entity judges it (RFC 6120 §13.7)
   */
  readonly covers?: (domain: string) => boolean;
  /** See {@link OpenStreamOptions.urgency}; the transport knows of it. @defaultValue 3 */
  readonly urgency?: number;
  /** The user has given the stream another urgency. @defaultValue nothing happens: all bytes have one order */
  readonly onUrgency?: (urgency: number) => void;
}

/**
 * Turns the bytes a transport supplies into a stanza stream (RFC 6120 §4). The transport keeps one duty: to end the
 * bytes (`endWithError`, or `destroy` with a TransportError) when the connection under them ends.
 */
export function createStanzaStream(bytes: Duplex, options: StanzaStreamOptions): StanzaStream {
  return new XmlStream(bytes, options);
}

class XmlStream implements StanzaStream {
  readonly id: string;
  readonly connection: Connection;
  readonly role: Role;
  readonly closed: Promise<CloseReason>;

  readonly #limits: Limits;
  readonly #logger: Logger;
  readonly #serves: (domain: string) => boolean;
  readonly #covers: (domain: string) => boolean;
  readonly #onUrgency: (urgency: number) => void;
  readonly #contentNamespace: string;
  readonly #reader: XmlStreamReader;
  readonly #input: StreamInput;
  readonly #output: StreamOutput;
  readonly #ending: StreamEnding;
  // Made for those who ask: nearly every stream has one consumer, of one kind.
  #events$: Observable<StreamEvent> | null = null;
  #stanzas$: Observable<Stanza> | null = null;

  /** The peer's header of the current stream, and the one before the last restart. */
  #header: StreamHeader | null = null;
  #previousHeader: StreamHeader | null = null;
  #ownHeader: 'none' | 'sent' | 'due-again' = 'none';
  /** `to` of the header we sent last. */
  #sentTo: string | null = null;
  #authenticated: boolean;
  /** The handshake is not complete yet. */
  #isEarly = false;
  #early = false;
  #urgency: number;
  /** What the peer accepts, in bytes (XEP-0478); null when it did not say. */
  #peerMaxBytes: number | null = null;

  #headerTimer: NodeJS.Timeout | undefined;
  #authenticationTimer: NodeJS.Timeout | undefined;

  constructor(bytes: Duplex, options: StanzaStreamOptions) {
    const { id, connection, role, limits, logger } = options;
    this.id = id;
    this.connection = connection;
    this.role = role;
    this.#limits = limits;
    this.#logger = childLogger(logger, { streamId: id });
    this.#serves = options.serves ?? (() => true);
    this.#covers = options.covers ?? (() => true);
    this.#urgency = options.urgency ?? DEFAULT_URGENCY;
    this.#onUrgency = options.onUrgency ?? (() => undefined);
    this.#contentNamespace = CONTENT_NAMESPACES[connection.kind];
    this.#authenticated = role === 'initiating';
    const { maxStanzaBytes, maxUnauthenticatedStanzaBytes, maxHeaderBytes, maxDepth, maxAttributes } = limits;
    this.#reader = new XmlStreamReader(
      {
        onHeader: (header) => this.#onHeader(header),
        onStanza: (stanza) => this.#onStanza(stanza),
        onEnd: () => this.#ending.onPeerTag(),
        onError: (error) => this.#failWith(error, 'peer'),
      },
      {
        maxStanzaBytes: this.#authenticated ? maxStanzaBytes : maxUnauthenticatedStanzaBytes,
        maxHeaderBytes,
        maxDepth,
        maxAttributes,
      },
    );
    this.#input = new StreamInput(bytes, this.#reader, {
      onHandlerError: (thrown) => this.#onHandlerError(thrown),
      onBytesEnded: (error) => this.#ending.onBytesEnded(error),
    });
    this.#output = new StreamOutput(bytes, limits, () =>
      this.#failWith(new StreamError('resource-constraint', { text: 'the peer does not read' }), 'peer'),
    );
    this.#ending = new StreamEnding(bytes, this.#input, this.#output, {
      id,
      closeTimeoutMs: limits.closeTimeoutMs,
      neverOpened: () => this.#neverOpened(),
      writeClosingTag: () => this.#writeClosingTag(),
      onSettled: (reason) => this.#onSettled(reason),
    });
    this.closed = this.#ending.closed;

    if (options.handshakeCompleted !== undefined) this.#holdUntil(options.handshakeCompleted);
    if (role === 'receiving' && this.#ending.reason === null) this.#startReceivingTimers();
  }

  get events$(): Observable<StreamEvent> {
    this.#events$ ??= new GuardedObservable(this.#handlerErrorSink(), (subscriber) =>
      this.#subscribe(subscriber, (event) => subscriber.next(event)),
    );
    return this.#events$;
  }

  get stanzas$(): Observable<Stanza> {
    this.#stanzas$ ??= new GuardedObservable(this.#handlerErrorSink(), (subscriber) =>
      this.#subscribe(subscriber, (event) => {
        if (event.type === 'stanza') subscriber.next(event.stanza);
      }),
    );
    return this.#stanzas$;
  }

  get header(): StreamHeader | null {
    return this.#header;
  }

  get early(): boolean {
    return this.#early;
  }

  get queuedBytes(): number {
    return this.#output.queuedBytes;
  }

  get urgency(): number {
    return this.#urgency;
  }

  setUrgency(urgency: number): void {
    if (checkUrgency(urgency) === this.#urgency) return;
    this.#urgency = urgency;
    this.#onUrgency(urgency);
  }

  sendHeader(fields: StreamHeaderFields = {}): void {
    this.#assertOpen();
    if (this.#ownHeader === 'sent') {
      throw new TransportError('XMPP_INVALID_STATE', 'the stream header was sent already; restart() comes first');
    }
    if (this.role === 'initiating' && fields.to === undefined && this.#sentTo === null) {
      throw new TransportError('XMPP_BAD_OPTION', "the initiating entity's stream header needs 'to'");
    }
    this.#writeHeader(fields);
    if (this.role === 'initiating') this.#awaitHeader();
  }

  send(stanza: Stanza | Element | string): boolean {
    this.#assertOpen();
    if (this.#ownHeader === 'none') throw new TransportError('XMPP_INVALID_STATE', 'sendHeader() comes before send()');
    const text = this.#textOf(stanza);
    if (this.#peerMaxBytes !== null && Buffer.byteLength(text) > this.#peerMaxBytes) {
      const message = `the peer accepts elements of at most ${this.#peerMaxBytes} bytes (XEP-0478)`;
      throw new TransportError('XMPP_LIMIT_EXCEEDED', message);
    }
    return this.#output.write(text);
  }

  drained({ signal }: Cancellable = {}): Promise<void> {
    return this.#output.drained(signal);
  }

  restart(): void {
    this.#assertOpen();
    this.#reader.restart();
    this.#previousHeader = this.#header ?? this.#previousHeader;
    this.#header = null;
    this.#ownHeader = 'due-again';
    this.#peerMaxBytes = null;
    if (this.role === 'receiving') this.#awaitHeader();
  }

  markAuthenticated(): void {
    this.#authenticated = true;
    this.#reader.maxStanzaBytes = this.#limits.maxStanzaBytes;
    this.#stopAuthenticationTimer();
  }

  events(): AsyncIterable<StreamEvent> {
    return new PullConsumer(this.#input);
  }

  [Symbol.asyncIterator](): AsyncIterator<Stanza, undefined> {
    return stanzasOf(new PullConsumer(this.#input));
  }

  consume(handler: (stanza: Stanza) => unknown, options: ConsumeOptions = {}): Promise<void> {
    return consumeStanzas(this.#input, handler, options, (thrown) => this.#onHandlerError(thrown));
  }

  close(): Promise<void> {
    return this.#ending.close();
  }

  abort(error: StreamError): void {
    this.#failWith(error, 'local');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // The peer's stream, in order.

  #onHeader(header: StreamHeader): void {
    const error = judgeHeader(header, {
      kind: this.connection.kind,
      role: this.role,
      serves: this.#serves,
      covers: this.#covers,
      previous: this.#previousHeader,
      expectedFrom: this.#sentTo,
    });
    if (error !== null) {
      // RFC 6120 §4.9.1.3: the response header must not claim a host that is not ours.
      if (this.#previousHeader === null) this.#header = { ...header, to: undefined };
      this.#failWith(error, 'peer');
      return;
    }
    this.#stopHeaderTimer();
    const { to, from } = this.#previousHeader ?? {};
    this.#header = { ...header, to: header.to ?? to, from: header.from ?? from };
    if (this.#isEarly) {
      this.#early = true;
      this.#input.hold();
    }
    this.#input.deliver({ type: 'header', header: this.#header });
  }

  #onStanza(stanza: Stanza): void {
    if (isStreamError(stanza)) {
      this.#ending.fail(parseStreamError(stanza), 'peer');
    } else if (!this.#authenticated && isStanza(stanza, this.#contentNamespace)) {
      this.#failWith(new StreamError('not-authorized', { text: 'stanzas come after authentication' }), 'peer');
    } else if (isStarttls(stanza)) {
      this.#refuseStarttls();
    } else if (this.role === 'initiating' && isFeatures(stanza)) {
      const features = readFeatures(stanza);
      if (features.offeredStarttls) {
        this.#logger.warn('the peer offers STARTTLS on a stream that is secured already; the offer is ignored');
      }
      this.#peerMaxBytes = features.maxBytes;
      this.#input.deliver({ type: 'stanza', stanza: features.stanza });
    } else {
      this.#input.deliver({ type: 'stanza', stanza });
    }
  }

  /** XEP-0467 §2 (3): never performed here; RFC 6120 §5.4.2.2: the failure case ends the stream. */
  #refuseStarttls(): void {
    if (this.role === 'receiving') {
      if (this.#ownHeader !== 'sent') this.#writeHeader({});
      this.#output.write(STARTTLS_FAILURE);
    }
    const message = 'the peer asked for STARTTLS on a stream that is secured already';
    this.#ending.fail(new TransportError('XMPP_TRANSPORT_VIOLATION', message), 'peer');
  }

  // The end.

  /** Ends with a stream error that the peer is told (RFC 6120 §4.9.1). */
  #failWith(error: StreamError, by: 'local' | 'peer'): void {
    if (this.#ending.isOpen && (this.role === 'receiving' || this.#ownHeader !== 'none')) {
      if (this.#ownHeader !== 'sent') this.#writeHeader({});
      this.#output.write(writeStreamError(error));
    }
    this.#ending.fail(error, by);
  }

  #onSettled(reason: CloseReason): void {
    this.#stopHeaderTimer();
    this.#stopAuthenticationTimer();
    this.#logger.debug(
      reason.clean ? { by: reason.by } : { by: reason.by, code: reason.error.code, reason: reason.error.message },
      'stanza stream ended',
    );
  }

  #handlerErrorSink(): (thrown: unknown) => void {
    return (thrown) => this.#onHandlerError(thrown);
  }

  #onHandlerError(thrown: unknown): void {
    this.#logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of the stanza stream failed');
    this.#failWith(new StreamError('internal-server-error', { cause: thrown }), 'local');
  }

  /** Not a byte of XML went either way, so there is nothing to close or to tell. */
  #neverOpened(): boolean {
    return this.role === 'initiating' && this.#ownHeader === 'none';
  }

  #writeClosingTag(): void {
    if (this.#neverOpened()) return;
    if (this.#ownHeader !== 'sent') this.#writeHeader({});
    this.#output.write(STREAM_END);
  }

  #writeHeader(fields: StreamHeaderFields): void {
    const header = completeHeader(
      { ...fields, to: fields.to ?? (this.role === 'initiating' ? (this.#sentTo ?? undefined) : undefined) },
      { kind: this.connection.kind, role: this.role, peer: this.#header ?? this.#previousHeader },
    );
    const text = writeHeader(header);
    this.#sentTo = header.to ?? null;
    this.#ownHeader = 'sent';
    this.#output.write(text);
    if (this.#isEarly && this.role === 'initiating') this.#output.hold();
  }

  #textOf(stanza: Stanza | Element | string): string {
    if (typeof stanza === 'string') return stanza;
    return stanza instanceof Stanza ? stanza.sourceIn(this.#contentNamespace) : writeElement(stanza);
  }

  #assertOpen(): void {
    const { reason, isOpen } = this.#ending;
    if (reason?.clean === false) throw reason.error;
    if (this.#output.failure !== null) throw this.#output.failure;
    if (!isOpen) throw new TransportError('XMPP_INVALID_STATE', `stanza stream ${this.id} is closed`);
  }

  #holdUntil(handshakeCompleted: Promise<boolean>): void {
    this.#isEarly = true;
    handshakeCompleted.then((completed) => {
      this.#isEarly = false;
      if (completed) {
        this.#output.release();
        this.#input.release();
      } else {
        // What was held is not the peer's for certain; the consumer hears of the end.
        this.#input.discard();
      }
    });
  }

  #startReceivingTimers(): void {
    this.#awaitHeader();
    this.#authenticationTimer = setTimeout(
      () => this.#failWith(new StreamError('connection-timeout', { text: 'not authenticated in time' }), 'peer'),
      this.#limits.authenticationTimeoutMs,
    );
  }

  #awaitHeader(): void {
    this.#stopHeaderTimer();
    this.#headerTimer = setTimeout(
      () => this.#failWith(new StreamError('connection-timeout', { text: 'no stream header in time' }), 'peer'),
      this.#limits.headerTimeoutMs,
    );
  }

  // A timer that has been stopped is let go as well: an idle stream is to hold little.

  #stopHeaderTimer(): void {
    clearTimeout(this.#headerTimer);
    this.#headerTimer = undefined;
  }

  #stopAuthenticationTimer(): void {
    clearTimeout(this.#authenticationTimer);
    this.#authenticationTimer = undefined;
  }

  #subscribe<T>(subscriber: Subscriber<T>, onEvent: (event: StreamEvent) => void): () => void {
    const consumer: Consumer = {
      onEvent,
      onEnd: (reason) => (reason.clean ? subscriber.complete() : subscriber.error(reason.error)),
    };
    this.#input.attach(consumer);
    // Not at once: the caller shall have its Subscription in hand before the first event.
    process.nextTick(() => {
      if (!subscriber.closed) this.#input.resume();
    });
    return () => this.#input.detach(consumer);
  }
}
