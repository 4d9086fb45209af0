import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  CertificateExpiry,
  type CloseReason,
  type Connection,
  type ConnectionKind,
  checkUrgency,
  createStanzaStream,
  endingFaultyStreams,
  GuardedObservable,
  Inbox,
  type Limits,
  type Logger,
  type NetworkPath,
  type OpenStreamOptions,
  type Role,
  type StanzaStream,
  StreamError,
  TransportError,
  toTransportError,
} from '@stanzaport/core';
import { BehaviorSubject, type Observable } from 'rxjs';
import { type ByteStreamOwner, TlsByteStream } from './tls-byte-stream.ts';
import type { TlsSecurity } from './tls-security.ts';

/** What a connection is made from, once it is secured. */
export interface TlsConnectionOptions {
  readonly id: string;
  /** Name of the transport. */
  readonly transport: string;
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly tls: TLSSocket;
  /** The socket under `tls`. */
  readonly tcp: Socket;
  readonly security: TlsSecurity;
  readonly path: NetworkPath;
  readonly limits: Limits;
  readonly logger: Logger;
  /** Which domains streams may be opened to here; asked in the receiving role. */
  readonly serves: (domain: string) => boolean;
}

/** One TLS connection as the contract sees it: it carries exactly one stanza stream, and ends with it. */
export class TlsConnection implements Connection, ByteStreamOwner {
  readonly id: string;
  readonly transport: string;
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: TlsSecurity;
  readonly handshakeCompleted: Promise<boolean> = Promise.resolve(true);
  readonly path$: Observable<NetworkPath>;
  readonly streams$: Observable<StanzaStream>;
  readonly closed: Promise<CloseReason>;
  /** Resolves when the socket is closed. */
  readonly released: Promise<void>;

  readonly #limits: Limits;
  readonly #logger: Logger;
  readonly #serves: (domain: string) => boolean;
  readonly #path: BehaviorSubject<NetworkPath>;
  readonly #inbox: Inbox<StanzaStream>;
  readonly #bytes: TlsByteStream;
  #stream: StanzaStream | null = null;
  #streamTimer: NodeJS.Timeout | undefined;
  #expiry: CertificateExpiry | null = null;
  #closing: Promise<void> | null = null;
  #settled = false;
  #settleClosed: (reason: CloseReason) => void = () => undefined;

  constructor(options: TlsConnectionOptions) {
    this.id = options.id;
    this.transport = options.transport;
    this.kind = options.kind;
    this.role = options.role;
    this.security = options.security;
    this.#limits = options.limits;
    this.#logger = options.logger;
    this.#serves = options.serves;
    this.#path = new BehaviorSubject(options.path);
    const onHandlerError = (thrown: unknown): void =>
      this.#logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of the connection failed');
    this.path$ = new GuardedObservable(onHandlerError, (subscriber) => this.#path.subscribe(subscriber));
    this.#inbox = new Inbox(endingFaultyStreams(this.#logger));
    this.streams$ = this.#inbox.observable;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    const { tls, tcp, path } = options;
    this.released = new Promise((resolve) => {
      tcp.once('close', () => resolve());
    });
    this.#bytes = new TlsByteStream(tls, tcp, `${path.remote.address} port ${path.remote.port}`, this);
    // The stanza stream listens itself, once there is one.
    this.#bytes.on('error', () => undefined);
    if (this.kind === 's2s') this.#watchExpiry();
    if (this.role === 'receiving') this.#awaitStream();
  }

  async openStream({ signal, urgency }: OpenStreamOptions = {}): Promise<StanzaStream> {
    if (urgency !== undefined) checkUrgency(urgency);
    if (this.#settled || this.#closing !== null) {
      throw new TransportError('XMPP_INVALID_STATE', `connection ${this.id} is closed`);
    }
    if (signal?.aborted) throw new TransportError('XMPP_ABORTED', 'opening a stream was aborted');
    if (this.role === 'receiving') {
      throw new TransportError('XMPP_LIMIT_EXCEEDED', 'the receiving entity opens no streams on a TLS connection');
    }
    if (this.#stream !== null) {
      throw new TransportError('XMPP_LIMIT_EXCEEDED', 'a TLS connection carries one stanza stream, which is open');
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
    this.#bytes.reset(error);
  }

  /** The deadline of a drain: the peer is told `system-shutdown` (RFC 6120 §4.9.3.20), then the connection ends. */
  shutDown(): void {
    const error = new TransportError('XMPP_SHUTDOWN', 'the listener was closed');
    this.#stream?.abort(new StreamError('system-shutdown'));
    this.#finish({ clean: false, by: 'local', error });
    // Two turns: one in which the stream hands over its last words, one in which they are sent.
    setImmediate(() => setImmediate(() => this.#bytes.destroy(error)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // For the bytes.

  onFirstBytes(): void {
    clearTimeout(this.#streamTimer);
    if (this.role === 'receiving' && this.#closing === null && !this.#settled) this.#inbox.push(this.#createStream());
  }

  onPeerEnded(): void {
    if (this.#stream !== null || this.#closing !== null) return;
    this.#finish({ clean: true, by: 'peer', error: null });
    this.#endBytes();
  }

  onLost(error: TransportError): void {
    // A stream hears of it from its bytes, and tells.
    if (this.#stream === null) this.#finish({ clean: false, by: 'peer', error });
  }

  /** What a certificate proved is not proved any more when it has expired: the stream gets `reset` (RFC 6120 §13.7.2.3). */
  #watchExpiry(): void {
    const { security } = this;
    this.#expiry = new CertificateExpiry(() => this.#stream?.abort(new StreamError('reset')));
    security.onVerdict = (verdict) => this.#expiry?.note(verdict);
    if (security.verdict !== null) this.#expiry.note(security.verdict);
  }

  /** A connection without a stream is of use to nobody. */
  #awaitStream(): void {
    this.#streamTimer = setTimeout(
      () => this.abort(new TransportError('XMPP_IDLE_TIMEOUT', 'the peer opened no stream in time')),
      this.#limits.headerTimeoutMs,
    );
  }

  #createStream(urgency?: number): StanzaStream {
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
    stream.closed.then((reason) => {
      this.#finish(reason);
      this.#inbox.drop(stream);
    });
    return stream;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#streamTimer);
    if (this.#stream === null) this.#endBytes();
    else await this.#stream.close();
    if (this.#stream === null) this.#finish({ clean: true, by: 'local', error: null });
    await this.released;
  }

  /** Where no stream was ever opened, there is nothing to wait for but the end of the socket. */
  #endBytes(): void {
    const bytes = this.#bytes;
    if (bytes.closed) return;
    bytes.resume();
    const timer = setTimeout(() => bytes.destroy(), this.#limits.closeTimeoutMs);
    bytes.once('close', () => clearTimeout(timer));
    bytes.end();
  }

  #finish(reason: CloseReason): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#streamTimer);
    this.#expiry?.stop();
    this.#path.complete();
    if (reason.clean) this.#inbox.complete();
    else this.#inbox.fail(reason.error);
    this.#logger.debug(
      { by: reason.by, clean: reason.clean, ...(reason.error === null ? {} : { code: reason.error.code }) },
      'connection ended',
    );
    this.#settleClosed(reason);
  }
}
