import type { Duplex } from 'node:stream';
import { BehaviorSubject, type Observable } from 'rxjs';
import { endErrorOf, FAILED, tellUnwanted } from './byte-stream.ts';
import { childLogger } from './child-logger.ts';
import type { Connection, OpenStreamOptions, StanzaStream } from './connection.ts';
import { TransportError, toTransportError } from './errors.ts';
import type { CloseReason, ConnectionKind, NetworkPath, Role } from './facts.ts';
import { GuardedObservable } from './guarded-observable.ts';
import { Inbox } from './inbox.ts';
import type { Limits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { ConnectionSecurity } from './security.ts';
import { StreamError } from './stream-error.ts';
import { endingFaultyStreams } from './stream-handler-fault.ts';
import { checkUrgency } from './urgency.ts';
import { createStanzaStream } from './xml-stream.ts';

/** What a connection that is one stanza stream is made from, besides its bytes. */
export interface SingleStreamConnectionOptions {
  /** Name of the transport. */
  readonly transport: string;
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: ConnectionSecurity;
  /** The addresses; they stay until the end. */
  readonly path: NetworkPath;
  readonly limits: Limits;
  readonly logger: Logger;
  /** Receiving role: see {@link StanzaStreamOptions.serves}. @defaultValue every valid domain */
  readonly serves?: (domain: string) => boolean;
}

let lastId = 0;

/**
 * The connection of a transport whose connections carry one stanza stream each, and end with it: TCP, a WebSocket, a
 * pipe. It is made once the bytes are secured. In the receiving role the stream is announced with the peer's first bytes,
 * and without any the connection ends after {@link Limits.headerTimeoutMs}.
 *
 * The transport tells of a lost connection by {@link endWithError}. Where `bytes` are destroyed before they have ended in
 * both directions, the peer must not take that for an orderly end.
 */
export class SingleStreamConnection implements Connection {
  readonly id: string;
  readonly transport: string;
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: ConnectionSecurity;
  readonly handshakeCompleted: Promise<boolean> = Promise.resolve(true);
  readonly path$: Observable<NetworkPath>;
  readonly streams$: Observable<StanzaStream>;
  readonly closed: Promise<CloseReason>;
  /** Resolves when nothing of the bytes is left but what a consumer has not read; never rejects. */
  readonly released: Promise<void>;

  readonly #bytes: Duplex;
  readonly #limits: Limits;
  readonly #logger: Logger;
  readonly #serves: (domain: string) => boolean;
  readonly #path: BehaviorSubject<NetworkPath>;
  readonly #inbox: Inbox<StanzaStream>;
  #stream: StanzaStream | null = null;
  #streamTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | null = null;
  #settled = false;
  #settleClosed: (reason: CloseReason) => void = () => undefined;

  constructor(bytes: Duplex, options: SingleStreamConnectionOptions) {
    const { transport, kind, role, security, path, limits, logger, serves = () => true } = options;
    lastId += 1;
    this.id = `${transport}-${lastId}`;
    this.transport = transport;
    this.kind = kind;
    this.role = role;
    this.security = security;
    this.#bytes = bytes;
    this.#limits = limits;
    const remote = `${path.remote.address} ${path.remote.port}`;
    this.#logger = childLogger(logger, { connectionId: this.id, transport, remote });
    this.#serves = serves;
    this.#inbox = new Inbox(endingFaultyStreams(this.#logger));
    this.streams$ = this.#inbox.observable;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    const onHandlerError = (thrown: unknown): void =>
      this.#logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of the connection failed');
    this.#path = new BehaviorSubject(path);
    this.path$ = new GuardedObservable(onHandlerError, (subscriber) => this.#path.subscribe(subscriber));
    this.released = new Promise((resolve) => {
      bytes.once('close', resolve);
      bytes.once(FAILED, () => resolve());
    });
    bytes.on('error', (error) => this.#onLost(toTransportError(error, `connection ${this.id}`)));
    bytes.once(FAILED, (error: TransportError) => this.#onLost(error));
    bytes.once('close', () => this.#onLost(new TransportError('XMPP_PEER_RESET', 'the connection was lost')));
    bytes.once('readable', this.#onReadable);
    if (role === 'receiving') this.#awaitStream();
    // A transport may hand over bytes that have failed already.
    const failure = endErrorOf(bytes);
    if (failure !== null) this.#onLost(failure);
  }

  async openStream({ signal, urgency }: OpenStreamOptions = {}): Promise<StanzaStream> {
    if (urgency !== undefined) checkUrgency(urgency);
    if (this.#settled || this.#closing !== null) {
      throw new TransportError('XMPP_INVALID_STATE', `connection ${this.id} is closed`);
    }
    if (signal?.aborted) throw new TransportError('XMPP_ABORTED', 'opening a stream was aborted');
    if (this.role === 'receiving' || this.#stream !== null) {
      const message = `a connection of transport '${this.transport}' carries one stream, that of the initiating entity`;
      throw new TransportError('XMPP_LIMIT_EXCEEDED', message);
    }
    return this.#createStream(urgency);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  abort(error: TransportError = new TransportError('XMPP_ABORTED', 'the connection was aborted')): void {
    if (this.#settled) return;
    this.#finish({ clean: false, by: 'local', error });
    this.#bytes.destroy(error);
  }

  /** Ends the stream, if there is one, with an error that its peer is told. */
  abortStream(error: StreamError): void {
    this.#stream?.abort(error);
  }

  /** The deadline of a drain has come: the peer is told `system-shutdown` (RFC 6120 §4.9.3.20), then the bytes are given up. */
  shutDown(): void {
    const error = new TransportError('XMPP_SHUTDOWN', 'the listener was closed');
    this.abortStream(new StreamError('system-shutdown'));
    this.#finish({ clean: false, by: 'local', error });
    // Two turns: one in which the stream hands over its last words, one in which they are sent.
    setImmediate(() => setImmediate(() => this.#bytes.destroy(error)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #onReadable = (): void => {
    if (this.#settled || this.#closing !== null) return;
    if (this.#bytes.readableLength === 0) {
      this.#finish({ clean: true, by: 'peer', error: null });
      this.#endBytes();
    } else if (this.role === 'receiving') {
      this.#inbox.push(this.#createStream());
    } else {
      this.abort(new TransportError('XMPP_TRANSPORT_VIOLATION', 'the peer spoke before a stream was opened'));
    }
  };

  #createStream(urgency?: number): StanzaStream {
    clearTimeout(this.#streamTimer);
    this.#bytes.off('readable', this.#onReadable);
    const stream = createStanzaStream(this.#bytes, {
      id: '0',
      connection: this,
      role: this.role,
      limits: this.#limits,
      logger: this.#logger,
      serves: this.#serves,
      ...(urgency === undefined ? {} : { urgency }),
    });
    this.#stream = stream;
    void stream.closed.then((reason) => {
      this.#finish(reason);
      this.#inbox.drop(stream);
    });
    return stream;
  }

  /** A connection without a stream is of use to nobody. */
  #awaitStream(): void {
    this.#streamTimer = setTimeout(
      () => this.abort(new TransportError('XMPP_IDLE_TIMEOUT', 'the peer opened no stream in time')),
      this.#limits.headerTimeoutMs,
    );
  }

  #onLost(error: TransportError): void {
    // A stream hears of it from its bytes, and tells.
    if (this.#stream !== null) return;
    this.#finish({ clean: false, by: 'peer', error });
    this.#bytes.destroy();
  }

  async #close(): Promise<void> {
    if (this.#stream === null) {
      this.#endBytes();
      this.#finish({ clean: true, by: 'local', error: null });
    } else {
      await this.#stream.close();
    }
    await this.released;
  }

  /** Where no stream was ever opened, there is nothing to wait for but the end of the bytes. */
  #endBytes(): void {
    const bytes = this.#bytes;
    if (bytes.closed) return;
    bytes.off('readable', this.#onReadable);
    tellUnwanted(bytes);
    bytes.resume();
    const timer = setTimeout(() => bytes.destroy(), this.#limits.closeTimeoutMs);
    bytes.once('close', () => clearTimeout(timer));
    bytes.end();
  }

  #finish(reason: CloseReason): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#streamTimer);
    this.#path.complete();
    if (reason.clean) this.#inbox.complete();
    else this.#inbox.fail(reason.error);
    const { clean, by, error } = reason;
    this.#logger.debug({ clean, by, ...(error === null ? {} : { code: error.code }) }, 'connection ended');
    this.#settleClosed(reason);
  }
}
