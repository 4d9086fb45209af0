import {
  type Cancellable,
  type CloseReason,
  type Connection,
  type ConnectionKind,
  createStanzaStream,
  endingFaultyStreams,
  GuardedObservable,
  Inbox,
  type Limits,
  type Logger,
  type NetworkPath,
  type Role,
  type SocketAddress,
  type StanzaStream,
  StreamError,
  TransportError,
  toTransportError,
} from '@stanzaport/core';
import { BehaviorSubject, type Observable } from 'rxjs';
import type { ConnectionDriver, ConnectionEnd, DriverOwner } from './endpoint/connection-driver.ts';
import { EngineError } from './engine/port.ts';
import { APPLICATION_CODE, errorOfEnd } from './errors.ts';
import { type ByteStreamHost, QuicByteStream } from './quic-byte-stream.ts';
import type { QuicSecurity } from './quic-security.ts';
import type { ReadSlab } from './read-slab.ts';
import { StreamCredit } from './stream-credit.ts';

/** What a QUIC connection is made from, once its handshake is complete. */
export interface QuicConnectionOptions {
  readonly id: string;
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly driver: ConnectionDriver;
  readonly security: QuicSecurity;
  readonly slab: ReadSlab;
  readonly limits: Limits;
  readonly logger: Logger;
  /** Credit of each stream, in bytes. */
  readonly streamWindowBytes: number;
  /** Which domains streams may be opened to here; asked in the receiving role. */
  readonly serves: (domain: string) => boolean;
  /** Whether this side may open streams (XEP-0467 §2 (9)). */
  readonly mayOpenStreams: boolean;
  /** What to give back when the connection is gone: a client's socket. */
  readonly onReleased?: () => Promise<void>;
}

/** Up to so many streams asking each one is cheaper than having the engine list those that are readable. */
const POLLED_STREAMS = 64;
/** Up to so many streams are read without being asked. */
const READ_UNASKED = 2;
/** Finished streams whose acknowledgement is looked at together. */
const UNACKNOWLEDGED_BATCH = 32;
const NO_BYTES = new Uint8Array(0);

/** One QUIC connection as the contract sees it: each bidirectional stream a stanza stream (XEP-0467 §2 (9)). */
export class QuicConnection implements Connection, ByteStreamHost, DriverOwner {
  readonly id: string;
  readonly transport = 'quic';
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: QuicSecurity;
  readonly path$: Observable<NetworkPath>;
  readonly streams$: Observable<StanzaStream>;
  readonly closed: Promise<CloseReason>;
  readonly slab: ReadSlab;

  readonly #driver: ConnectionDriver;
  readonly #limits: Limits;
  readonly #logger: Logger;
  readonly #serves: (domain: string) => boolean;
  readonly #streamWindowBytes: number;
  readonly #mayOpenStreams: boolean;
  readonly #giveBack: () => Promise<void>;
  readonly #path: BehaviorSubject<NetworkPath>;
  readonly #inbox: Inbox<StanzaStream>;
  readonly #byteStreams = new Map<number, QuicByteStream>();
  readonly #stanzaStreams = new Map<number, StanzaStream>();
  readonly #blocked = new Set<QuicByteStream>();
  /** Streams over on this side whose last bytes the peer may not have acknowledged. */
  readonly #unacknowledged = new Set<number>();
  readonly #credit = new StreamCredit();
  #nextStreamId: number;
  #closing: Promise<void> | null = null;
  #abortError: TransportError | null = null;
  #settled = false;
  #settleClosed: (reason: CloseReason) => void = () => undefined;
  #release: () => void = () => undefined;
  readonly #released: Promise<void>;
  #onAcknowledged: (() => void) | null = null;
  #streamTimer: NodeJS.Timeout | undefined;

  constructor(options: QuicConnectionOptions) {
    this.id = options.id;
    this.kind = options.kind;
    this.role = options.role;
    this.security = options.security;
    this.slab = options.slab;
    this.#driver = options.driver;
    this.#limits = options.limits;
    this.#logger = options.logger;
    this.#serves = options.serves;
    this.#streamWindowBytes = options.streamWindowBytes;
    this.#mayOpenStreams = options.mayOpenStreams;
    this.#giveBack = options.onReleased ?? (() => Promise.resolve());
    this.#nextStreamId = options.role === 'initiating' ? 0 : 1;
    this.#path = new BehaviorSubject(this.#currentPath());
    const onHandlerError = (thrown: unknown): void =>
      this.#logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of the connection failed');
    this.path$ = new GuardedObservable(onHandlerError, (subscriber) => this.#path.subscribe(subscriber));
    this.#inbox = new Inbox(endingFaultyStreams(this.#logger));
    this.streams$ = this.#inbox.observable;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
    this.#awaitStream(options.limits.headerTimeoutMs);
  }

  /** A connection without a stream is of use to nobody; PINGs alone do not keep it with the receiving entity. */
  #awaitStream(timeoutMs: number): void {
    if (this.role !== 'receiving' || this.#settled) return;
    clearTimeout(this.#streamTimer);
    this.#streamTimer = setTimeout(
      () => this.#abort(new TransportError('XMPP_IDLE_TIMEOUT', 'the peer opened no stream in time'), 'no stream'),
      timeoutMs,
    );
  }

  /** Each open stream may hold as much as its window. */
  get unreadBytes(): number {
    return this.#byteStreams.size * this.#streamWindowBytes;
  }

  get engine(): ConnectionDriver['engine'] {
    return this.#driver.engine;
  }

  async openStream({ signal }: Cancellable = {}): Promise<StanzaStream> {
    if (!this.#mayOpenStreams) {
      throw new TransportError('XMPP_LIMIT_EXCEEDED', 'the receiving entity opens no streams on this connection');
    }
    for (;;) {
      this.#assertOpen(signal);
      const streamId = this.#nextStreamId;
      if (this.#tryOpen(streamId)) {
        this.#nextStreamId += 4;
        return this.#addStream(streamId, 'initiating');
      }
      await this.#credit.wait(signal);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  abort(error?: TransportError): void {
    this.#abort(error ?? new TransportError('XMPP_ABORTED', 'the connection was aborted'), '');
  }

  /** @param reason what the peer is told. */
  #abort(error: TransportError, reason: string): void {
    if (this.#settled) return;
    this.#abortError = error;
    this.#driver.close(true, APPLICATION_CODE.error, reason);
    this.#finish({ clean: false, by: 'local', error: this.#abortError });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Resolves when no trace of the connection is left. */
  get released(): Promise<void> {
    return this.#released;
  }

  /** The deadline of a drain: every stream is told `system-shutdown` (RFC 6120 §4.9.3.20), then the connection ends. */
  shutDown(): void {
    for (const stream of this.#stanzaStreams.values()) stream.abort(new StreamError('system-shutdown'));
    const error = new TransportError('XMPP_SHUTDOWN', 'the listener was closed');
    // Two turns: one in which the streams hand over their last words, one in which those are sent.
    setImmediate(() => setImmediate(() => this.abort(error)));
  }

  // For byte streams.

  mark(): void {
    this.#driver.mark();
  }

  markForInput(): void {
    this.#driver.markForInput();
  }

  awaitWritable(stream: QuicByteStream): void {
    this.#blocked.add(stream);
  }

  delivered(bytes: number): void {
    this.#driver.delivered(bytes);
  }

  onFinished(stream: QuicByteStream): void {
    const { streamId } = stream;
    this.#byteStreams.delete(streamId);
    this.#blocked.delete(stream);
    this.#unacknowledged.add(streamId);
    // The step for input may be over in this turn, and it is there that the wait is looked at.
    if (this.#onAcknowledged !== null) this.markForInput();
    if (this.#unacknowledged.size >= UNACKNOWLEDGED_BATCH) this.#dropAcknowledged();
    if (this.#byteStreams.size > 0) return;
    this.#driver.keepsAlive = false;
    this.#awaitStream(this.#limits.authenticationTimeoutMs);
  }

  // For the driver.

  onEstablished(): void {
    // This object is made when it happens.
  }

  onInput(): void {
    const { engine } = this;
    if (this.#credit.isAwaited) this.#credit.grant(engine.peerStreamsLeft);
    if (this.#onAcknowledged !== null) this.#checkAcknowledged(this.#onAcknowledged);
    const streams = this.#byteStreams;
    if (streams.size <= POLLED_STREAMS) {
      // With one or two, the attempt to read costs no more than the question whether to.
      const asks = streams.size > READ_UNASKED;
      for (const [streamId, stream] of streams) {
        const isReadable = stream.wantsToRead && (!asks || engine.isReadable(streamId));
        if (isReadable) stream.onReadable();
      }
    }
    if (!engine.hasReadable) return;
    // What is left is new, or its reader has paused. One pass only: a hostile peer can keep a stream listed for ever.
    for (const streamId of [...engine.readableStreams()]) {
      const stream = this.#byteStreams.get(streamId);
      if (stream !== undefined) stream.onReadable();
      else if (this.#unacknowledged.has(streamId)) this.#discard(streamId);
      else this.#accept(streamId);
    }
  }

  onOutput(): void {
    if (this.#blocked.size === 0) return;
    for (const stream of [...this.#blocked]) {
      this.#blocked.delete(stream);
      if (stream.onWritable()) this.#blocked.add(stream);
    }
  }

  onEnd(end: ConnectionEnd): void {
    const { remoteAddress, remotePort } = this.#driver.carrier;
    const peer = `${remoteAddress} port ${remotePort}`;
    const unfinished = this.#byteStreams.size > 0;
    const error = this.#abortError ?? errorOfEnd(end, peer, unfinished);
    const by = end.type === 'closed' ? end.by : 'peer';
    this.#finish(error === null ? { clean: true, by, error } : { clean: false, by, error });
  }

  onReleased(): void {
    this.#giveBack().then(this.#release);
  }

  #assertOpen(signal: AbortSignal | undefined): void {
    if (this.#settled || this.#closing !== null) {
      throw new TransportError('XMPP_INVALID_STATE', `connection ${this.id} is closed`);
    }
    if (signal?.aborted) throw new TransportError('XMPP_ABORTED', 'opening a stream was aborted');
  }

  /** An empty write makes the engine count the stream, without a packet for it. */
  #tryOpen(streamId: number): boolean {
    try {
      this.engine.write(streamId, NO_BYTES, false);
      return true;
    } catch (thrown) {
      if (thrown instanceof EngineError && thrown.failure === 'stream-limit') return false;
      throw toTransportError(thrown, `connection ${this.id}`);
    }
  }

  #accept(streamId: number): void {
    if (this.#settled || this.#closing !== null) {
      this.engine.stopReading(streamId, APPLICATION_CODE.error);
      this.engine.resetWriting(streamId, APPLICATION_CODE.error);
      return;
    }
    clearTimeout(this.#streamTimer);
    this.#inbox.push(this.#addStream(streamId, 'receiving'));
  }

  /** What comes on a stream that is over here is thrown away; read it must be, or the engine keeps the stream for ever. */
  #discard(streamId: number): void {
    try {
      const result = this.engine.read(streamId, this.slab.space());
      if (result !== null) this.delivered(result[0]);
    } catch {
      // Reset by the peer, or gone.
    }
  }

  #addStream(streamId: number, role: Role): StanzaStream {
    const bytes = new QuicByteStream(streamId, this);
    this.#byteStreams.set(streamId, bytes);
    this.#driver.keepsAlive = this.role === 'initiating';
    const stream = createStanzaStream(bytes, {
      id: String(streamId),
      connection: this,
      role,
      limits: this.#limits,
      logger: this.#logger,
      serves: this.#serves,
    });
    this.#stanzaStreams.set(streamId, stream);
    stream.closed.then(() => this.#onStreamClosed(streamId, stream));
    return stream;
  }

  #onStreamClosed(streamId: number, stream: StanzaStream): void {
    this.#stanzaStreams.delete(streamId);
    // Streams of a connection that nobody looks at end by their header timeout; the connection ends with them.
    if (this.#inbox.waiting > 0 && this.#stanzaStreams.size === 0) {
      this.abort(new TransportError('XMPP_IDLE_TIMEOUT', 'nobody has taken the streams of the connection'));
    }
    this.#inbox.drop(stream);
  }

  async #close(): Promise<void> {
    const deadlineAtMs = performance.now() + this.#limits.closeTimeoutMs;
    clearTimeout(this.#streamTimer);
    this.#credit.fail(new TransportError('XMPP_INVALID_STATE', `connection ${this.id} is closed`));
    await Promise.all([...this.#stanzaStreams.values()].map((stream) => stream.close()));
    if (!this.#settled) await this.#acknowledged(deadlineAtMs - performance.now());
    // CONNECTION_CLOSE throws away what is in flight (RFC 9000 §10.2), so it comes last.
    this.#driver.close(true, APPLICATION_CODE.normal, '');
    await this.#released;
  }

  /** Resolves when the peer has acknowledged the last byte of every stream, at the latest after `timeoutMs`. */
  #acknowledged(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#onAcknowledged = null;
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, timeoutMs));
      this.#onAcknowledged = done;
      this.#checkAcknowledged(done);
    });
  }

  #checkAcknowledged(done: () => void): void {
    this.#dropAcknowledged();
    // A stream that was aborted has settled, but its last words may still be on their way into the engine.
    if (this.#byteStreams.size === 0 && this.#unacknowledged.size === 0) done();
  }

  #dropAcknowledged(): void {
    for (const streamId of this.#unacknowledged) {
      try {
        this.engine.capacity(streamId);
      } catch (thrown) {
        // The engine forgets a stream when both of its directions are done and acknowledged.
        const forgotten = thrown instanceof EngineError && thrown.failure === 'stream-unknown';
        if (forgotten) this.#unacknowledged.delete(streamId);
      }
    }
  }

  #finish(reason: CloseReason): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#streamTimer);
    const error = reason.error ?? new TransportError('XMPP_PEER_RESET', 'the connection was closed');
    this.#credit.fail(error);
    const streams = [...this.#byteStreams.values()];
    this.#byteStreams.clear();
    this.#blocked.clear();
    for (const stream of streams) {
      if (this.#abortError === null) stream.onConnectionEnded(error);
      else stream.destroy(error);
    }
    this.#onAcknowledged?.();
    this.#path.complete();
    if (reason.clean) this.#inbox.complete();
    else this.#inbox.fail(reason.error);
    this.#logger.debug(
      { by: reason.by, clean: reason.clean, ...(reason.error === null ? {} : { code: reason.error.code }) },
      'connection ended',
    );
    this.#settleClosed(reason);
  }

  #currentPath(): NetworkPath {
    const { socket, remoteAddress, remotePort } = this.#driver.carrier;
    const remote: SocketAddress = { family: socket.address.family, address: remoteAddress, port: remotePort };
    return { local: socket.address, remote };
  }
}
