import {
  CertificateExpiry,
  type CloseReason,
  type ConnectionKind,
  checkUrgency,
  createStanzaStream,
  DEFAULT_URGENCY,
  endingFaultyStreams,
  Inbox,
  type Limits,
  type Logger,
  type MigratableConnection,
  type MigrateOptions,
  type NetworkPath,
  type OpenStreamOptions,
  type Role,
  type StanzaStream,
  StreamError,
  TransportError,
  toTransportError,
  unlessAborted,
} from '@stanzaport/core';
import type { Observable } from 'rxjs';
import { BlockedStreams } from './blocked-streams.ts';
import type { EarlyHandshake } from './early-handshake.ts';
import type { ConnectionDriver } from './endpoint/connection-driver.ts';
import type { ConnectionEnd } from './endpoint/connection-end.ts';
import type { DriverOwner } from './endpoint/driver-owner.ts';
import { APPLICATION_CODE, errorOfEnd, sideOfEnd } from './errors.ts';
import { ObservedPath } from './observed-path.ts';
import type { PathManager } from './path-manager.ts';
import { type ByteStreamHost, QuicByteStream } from './quic-byte-stream.ts';
import type { QuicSecurity } from './quic-security.ts';
import type { ReadSlab } from './read-slab.ts';
import { checkWaitMs, noFurtherStream, StreamCredit } from './stream-credit.ts';
import { UnacknowledgedStreams } from './unacknowledged-streams.ts';

/** What a QUIC connection is made from, once its handshake is complete, or early data lets it begin before. */
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
  /** Whether the certificate presented has to cover the `to` of streams as well (`strictTo`). */
  readonly covers?: (domain: string) => boolean;
  /** Whether this side may open streams (XEP-0467 §2 (9)). */
  readonly mayOpenStreams: boolean;
  /** Looks after the path, in the initiating role. */
  readonly paths?: PathManager | null;
  /** The handshake is not complete yet. */
  readonly early?: EarlyHandshake | null;
  /** A client is given what it can resume the connection by. */
  readonly onSession?: (session: Uint8Array) => void;
  /** What to give back when the connection is gone: a client's socket. */
  readonly onReleased?: () => Promise<void>;
}

/** Up to so many streams asking each one is cheaper than having the engine list those that are readable. */
const POLLED_STREAMS = 64;
/** Up to so many streams are read without being asked. */
const READ_UNASKED = 2;
/** Streams that lost packets keep from their readers at one time; more is what an attacker has. */
const STREAMS_WITH_GAPS = 4;
/** How long `openStream` waits for the peer to grant a stream, in milliseconds. */
const CREDIT_WAIT_MS = 30_000;

const COMPLETED: Promise<boolean> = Promise.resolve(true);
const noop = (): void => undefined;
const nothingToGiveBack = (): Promise<void> => Promise.resolve();

/** One QUIC connection as the contract sees it: each bidirectional stream a stanza stream (XEP-0467 §2 (9)). */
export class QuicConnection implements MigratableConnection, ByteStreamHost, DriverOwner {
  readonly id: string;
  readonly transport = 'quic';
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: QuicSecurity;
  readonly handshakeCompleted: Promise<boolean>;
  readonly streams$: Observable<StanzaStream>;
  readonly closed: Promise<CloseReason>;
  readonly slab: ReadSlab;

  readonly #driver: ConnectionDriver;
  readonly #limits: Limits;
  readonly #logger: Logger;
  readonly #serves: (domain: string) => boolean;
  readonly #covers: (domain: string) => boolean;
  readonly #streamWindowBytes: number;
  #paths: PathManager | null;
  #early: EarlyHandshake | null;
  #settleHandshake: (completed: boolean) => void = noop;
  #onSession: ((session: Uint8Array) => void) | null;
  readonly #giveBack: () => Promise<void>;
  readonly #path: ObservedPath;
  readonly #inbox: Inbox<StanzaStream>;
  readonly #byteStreams = new Map<number, QuicByteStream>();
  readonly #stanzaStreams = new Map<number, StanzaStream>();
  readonly #blocked = new BlockedStreams();
  readonly #unacknowledged: UnacknowledgedStreams;
  /** Of a side that may open streams. */
  readonly #credit: StreamCredit | null;
  #closing: Promise<void> | null = null;
  #abortError: TransportError | null = null;
  #settled = false;
  #settleClosed: (reason: CloseReason) => void = noop;
  #release: () => void = noop;
  readonly #released: Promise<void>;
  #streamTimer: NodeJS.Timeout | undefined;
  #expiry: CertificateExpiry | null = null;

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
    this.#covers = options.covers ?? (() => true);
    this.#streamWindowBytes = options.streamWindowBytes;
    this.#paths = options.paths ?? null;
    this.#early = options.early ?? null;
    this.#onSession = options.onSession ?? null;
    this.handshakeCompleted = this.#early === null ? COMPLETED : this.#awaitHandshake();
    this.#path = new ObservedPath(options.driver, options.logger);
    this.#giveBack = options.onReleased ?? nothingToGiveBack;
    const firstStreamId = options.role === 'initiating' ? 0 : 1;
    this.#credit = options.mayOpenStreams ? new StreamCredit(options.driver.engine, firstStreamId) : null;
    // A stream that was aborted has settled, but its last words may still be on their way into the engine.
    this.#unacknowledged = new UnacknowledgedStreams(options.driver.engine, () => this.#byteStreams.size === 0);
    this.#inbox = new Inbox(endingFaultyStreams(this.#logger));
    this.streams$ = this.#inbox.observable;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
    if (options.kind === 's2s') this.#watchExpiry();
    this.#awaitStream(options.limits.headerTimeoutMs);
  }

  get path$(): Observable<NetworkPath> {
    return this.#path.observable;
  }

  #awaitHandshake(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#settleHandshake = resolve;
    });
  }

  /** What a certificate proved is not proved any more when it has expired: every stream gets `reset` (RFC 6120 §13.7.2.3). */
  #watchExpiry(): void {
    const { security } = this;
    this.#expiry = new CertificateExpiry(() => {
      for (const stream of this.#stanzaStreams.values()) stream.abort(new StreamError('reset'));
    });
    security.onVerdict = (verdict) => this.#expiry?.note(verdict);
    if (security.verdict !== null) this.#expiry.note(security.verdict);
  }

  /** A connection without a stream is of use to nobody; PINGs alone do not keep it with the receiving entity. */
  #awaitStream(timeoutMs: number): void {
    if (this.role !== 'receiving' || this.#settled) return;
    this.#stopStreamTimer();
    this.#streamTimer = setTimeout(
      () => this.#abort(new TransportError('XMPP_IDLE_TIMEOUT', 'the peer opened no stream in time'), 'no stream'),
      timeoutMs,
    );
  }

  #stopStreamTimer(): void {
    clearTimeout(this.#streamTimer);
    this.#streamTimer = undefined;
  }

  /** Of each stream whose reader has paused a window, and of a few others, whose bytes wait for a packet that was lost. */
  get unreadBytes(): number {
    let waiting = STREAMS_WITH_GAPS;
    let windows = 0;
    for (const stream of this.#byteStreams.values()) {
      if (!stream.wantsToRead || waiting-- > 0) windows += 1;
    }
    return windows * this.#streamWindowBytes;
  }

  get engine(): ConnectionDriver['engine'] {
    return this.#driver.engine;
  }

  async openStream({ signal, urgency, waitMs = CREDIT_WAIT_MS }: OpenStreamOptions = {}): Promise<StanzaStream> {
    if (urgency !== undefined) checkUrgency(urgency);
    checkWaitMs(waitMs);
    const credit = this.#credit;
    if (credit === null) {
      throw new TransportError('XMPP_LIMIT_EXCEEDED', 'the receiving entity opens no streams on this connection');
    }
    this.#assertOpen(signal);
    const streamId = this.#takeCredit(credit);
    if (streamId !== null) return this.#addStream(streamId, 'initiating', urgency);
    if (waitMs === 0) throw noFurtherStream();
    const granted = await credit.wait(waitMs, signal);
    this.#assertOpen(undefined);
    const stream = this.#addStream(granted, 'initiating', urgency);
    if (!signal?.aborted) return stream;
    // It was granted in the moment in which it was no longer wanted; unused, it would be lost to all others.
    stream.abort(new StreamError('undefined-condition'));
    throw aborted();
  }

  async migrate(options: MigrateOptions = {}): Promise<NetworkPath> {
    // RFC 9000 §9: not before the handshake is confirmed.
    await unlessAborted(this.handshakeCompleted, options.signal, 'the migration');
    if (this.#settled || this.#closing !== null || this.#paths === null) {
      const isClosed = this.#settled || this.#closing !== null;
      const why = isClosed ? 'is closed' : 'migrates only where its peer does';
      throw new TransportError('XMPP_INVALID_STATE', `connection ${this.id} ${why}`);
    }
    await this.#paths.migrate(options);
    return this.#path.current;
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
    this.#driver.hurry();
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

  mustWait(stream: QuicByteStream): boolean {
    return this.#driver.holdsBack || this.#blocked.comesAfter(stream);
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
    if (this.#unacknowledged.isAwaited) this.markForInput();
    if (this.#byteStreams.size > 0) return;
    this.#driver.keepsAlive = false;
    this.#awaitStream(this.#limits.authenticationTimeoutMs);
  }

  // For the driver.

  onEarlyData(): void {
    // This object is made when it happens, or when the handshake is complete.
  }

  onEstablished(): void {
    const early = this.#early;
    if (early === null) return;
    this.#early = null;
    const outcome = early.complete();
    if (outcome.accepted) {
      this.#paths = outcome.paths;
      this.#settleHandshake(true);
      return;
    }
    this.#abortError = outcome.error;
    this.#driver.close(false, outcome.quicCode, '');
    this.#settleHandshake(false);
    this.#finish({ clean: false, by: 'local', error: outcome.error });
  }

  onPathChanged(): void {
    this.#path.update();
  }

  onInput(): void {
    const { engine } = this;
    if (this.#credit?.isAwaited) this.#credit.grant();
    if (this.#onSession !== null) this.#lookForSession(this.#onSession);
    this.#unacknowledged.look();
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
    if (this.#blocked.size > 0) this.#blocked.resume();
  }

  onEnd(end: ConnectionEnd): void {
    const { remoteAddress, remotePort } = this.#driver.carrier;
    const peer = `${remoteAddress} port ${remotePort}`;
    const unfinished = this.#byteStreams.size > 0 || this.#early !== null;
    const error = this.#abortError ?? errorOfEnd(end, peer, unfinished);
    const by = sideOfEnd(end);
    this.#finish(error === null ? { clean: true, by, error } : { clean: false, by, error });
  }

  onReleased(): void {
    this.#giveBack().then(this.#release);
  }

  #assertOpen(signal: AbortSignal | undefined): void {
    if (this.#settled || this.#closing !== null) {
      throw new TransportError('XMPP_INVALID_STATE', `connection ${this.id} is closed`);
    }
    if (signal?.aborted) throw aborted();
  }

  #takeCredit(credit: StreamCredit): number | null {
    try {
      return credit.take();
    } catch (thrown) {
      throw toTransportError(thrown, `connection ${this.id}`);
    }
  }

  #accept(streamId: number): void {
    if (this.#settled || this.#closing !== null) {
      this.engine.stopReading(streamId, APPLICATION_CODE.error);
      this.engine.resetWriting(streamId, APPLICATION_CODE.error);
      return;
    }
    this.#stopStreamTimer();
    this.#inbox.push(this.#addStream(streamId, 'receiving'));
  }

  /** The newest ticket is enough: the next connection gets one of its own. */
  #lookForSession(onSession: (session: Uint8Array) => void): void {
    const session = this.#early === null ? this.engine.session : null;
    if (session === null) return;
    this.#onSession = null;
    onSession(session);
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

  #addStream(streamId: number, role: Role, urgency: number = DEFAULT_URGENCY): StanzaStream {
    const bytes = new QuicByteStream(streamId, this);
    this.#byteStreams.set(streamId, bytes);
    const onUrgency = (changed: number): void => {
      bytes.setUrgency(changed);
      this.#blocked.onUrgency(changed);
    };
    if (urgency !== DEFAULT_URGENCY) onUrgency(urgency);
    this.#driver.keepsAlive = this.role === 'initiating';
    const stream = createStanzaStream(bytes, {
      id: String(streamId),
      connection: this,
      role,
      limits: this.#limits,
      logger: this.#logger,
      serves: this.#serves,
      covers: this.#covers,
      urgency,
      onUrgency,
      ...(this.#early === null ? {} : { handshakeCompleted: this.handshakeCompleted }),
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
    this.#stopStreamTimer();
    if (this.#credit?.isAwaited) {
      this.#credit.fail(new TransportError('XMPP_INVALID_STATE', `connection ${this.id} is closed`));
    }
    await Promise.all([...this.#stanzaStreams.values()].map((stream) => stream.close()));
    if (!this.#settled) await this.#unacknowledged.none(deadlineAtMs - performance.now());
    // CONNECTION_CLOSE throws away what is in flight (RFC 9000 §10.2), so it comes last.
    this.#driver.close(true, APPLICATION_CODE.normal, '');
    await this.#released;
  }

  #finish(reason: CloseReason): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#early?.fail();
    this.#early = null;
    this.#settleHandshake(false);
    this.#expiry?.stop();
    this.#stopStreamTimer();
    // Most connections end with nobody left to be told, and an error costs more than all the rest.
    if (this.#credit?.isAwaited || this.#paths !== null || this.#byteStreams.size > 0) {
      this.#tellOfEnd(reason.error ?? new TransportError('XMPP_PEER_RESET', 'the connection was closed'));
    }
    this.#unacknowledged.giveUp();
    this.#path.end();
    if (reason.clean) this.#inbox.complete();
    else this.#inbox.fail(reason.error);
    this.#logger.debug(
      { by: reason.by, clean: reason.clean, ...(reason.error === null ? {} : { code: reason.error.code }) },
      'connection ended',
    );
    this.#settleClosed(reason);
  }

  #tellOfEnd(error: TransportError): void {
    this.#credit?.fail(error);
    this.#paths?.end(error);
    const streams = [...this.#byteStreams.values()];
    this.#byteStreams.clear();
    this.#blocked.clear();
    for (const stream of streams) {
      if (this.#abortError === null) stream.onConnectionEnded(error);
      else stream.destroy(error);
    }
  }
}

function aborted(): TransportError {
  return new TransportError('XMPP_ABORTED', 'opening a stream was aborted');
}
