import {
  type CloseReason,
  type Connection,
  type ConnectionKind,
  type ConnectionSecurity,
  checkUrgency,
  createStanzaStream,
  DEFAULT_URGENCY,
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
} from '@stanzaport/core';
import { type Observable, ReplaySubject } from 'rxjs';
import type { MemoryByteStream } from './memory-byte-stream.ts';
import type { LinkEnding, MemoryLinkEnd } from './memory-link.ts';

/** What a memory connection is made from, besides its link. */
export interface MemoryConnectionOptions {
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: ConnectionSecurity;
  readonly path: NetworkPath;
  readonly limits: Limits;
  readonly logger: Logger;
}

let lastId = 0;

/** One end of an association in memory; each of its byte streams becomes a stanza stream. */
export class MemoryConnection implements Connection {
  readonly id: string;
  readonly transport = 'memory';
  readonly kind: ConnectionKind;
  readonly role: Role;
  readonly security: ConnectionSecurity;
  readonly handshakeCompleted: Promise<boolean> = Promise.resolve(true);
  readonly path$: Observable<NetworkPath>;
  readonly streams$: Observable<StanzaStream>;
  readonly closed: Promise<CloseReason>;

  readonly #link: MemoryLinkEnd;
  readonly #limits: Limits;
  readonly #logger: Logger;
  readonly #path = new ReplaySubject<NetworkPath>(1);
  readonly #inbox: Inbox<StanzaStream>;
  /** Streams whose bytes are not closed yet. */
  readonly #streams = new Map<StanzaStream, MemoryByteStream>();
  #streamsMade = 0;
  #headerCame = false;
  #headerTimer: NodeJS.Timeout | undefined;
  #headerOverdue = false;
  #closing: Promise<void> | null = null;
  #reason: CloseReason | null = null;
  #settleClosed: (reason: CloseReason) => void = () => undefined;

  constructor(link: MemoryLinkEnd, { kind, role, security, path, limits, logger }: MemoryConnectionOptions) {
    lastId += 1;
    this.id = `memory-${lastId}`;
    this.kind = kind;
    this.role = role;
    this.security = security;
    this.#link = link;
    this.#limits = limits;
    const remote = `${path.remote.address}:${path.remote.port}`;
    this.#logger = logger.child({ connectionId: this.id, transport: this.transport, remote });
    const onHandlerError = (err: unknown): void => this.#logger.error({ err }, 'a handler of the connection failed');
    this.#path.next(path);
    this.path$ = new GuardedObservable(onHandlerError, (subscriber) => this.#path.subscribe(subscriber));
    this.#inbox = new Inbox(endingFaultyStreams(this.#logger));
    this.streams$ = this.#inbox.observable;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    link.attach({
      onStream: (bytes) => this.#onStream(bytes),
      onEnd: (ending) => this.#onLinkEnd(ending),
    });
    if (role === 'receiving') this.#headerTimer = setTimeout(() => this.#onHeaderOverdue(), limits.headerTimeoutMs);
  }

  async openStream({ signal, urgency = DEFAULT_URGENCY }: OpenStreamOptions = {}): Promise<StanzaStream> {
    checkUrgency(urgency);
    if (signal?.aborted) throw new TransportError('XMPP_ABORTED', 'opening a stream was aborted');
    if (this.#closing !== null || this.#reason !== null) {
      throw new TransportError('XMPP_INVALID_STATE', `connection ${this.id} is closed`);
    }
    const bytes = this.#link.open();
    if (bytes === null) throw new TransportError('XMPP_LIMIT_EXCEEDED', 'the peer grants no further stream');
    return this.#adopt(bytes, 'initiating', urgency);
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeStreams();
    return this.#closing;
  }

  /** As `close`; streams that are not closed after `drainMs` are cut, and with 0 all at once. */
  async drain(drainMs: number): Promise<void> {
    if (drainMs === 0) {
      await this.#cutStreams();
      return;
    }
    const deadline = setTimeout(() => void this.#cutStreams(), drainMs);
    await this.close();
    clearTimeout(deadline);
  }

  abort(error: TransportError = new TransportError('XMPP_ABORTED', 'the connection was aborted')): void {
    if (this.#reason !== null) return;
    for (const bytes of this.#streams.values()) bytes.destroy(error);
    this.#link.end('with-error');
    this.#end({ clean: false, by: 'local', error });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #adopt(bytes: MemoryByteStream, role: Role, urgency: number = DEFAULT_URGENCY): StanzaStream {
    this.#streamsMade += 1;
    const stream = createStanzaStream(bytes, {
      id: `${role}-${this.#streamsMade}`,
      connection: this,
      role,
      limits: this.#limits,
      logger: this.#logger,
      urgency,
    });
    this.#streams.set(stream, bytes);
    bytes.once('close', () => {
      this.#streams.delete(stream);
      this.#headerCame ||= stream.header !== null;
      if (this.#headerOverdue) this.#endIfUnused();
    });
    return stream;
  }

  #onStream(bytes: MemoryByteStream): void {
    if (this.#closing !== null) bytes.destroy();
    else this.#inbox.push(this.#adopt(bytes, 'receiving'));
  }

  #onHeaderOverdue(): void {
    this.#headerOverdue = true;
    this.#endIfUnused();
  }

  /** Streams without a header end by their own timers; a connection that never had a stream with one goes with them. */
  #endIfUnused(): void {
    if (this.#headerCame || this.#streams.size > 0) return;
    this.abort(new TransportError('XMPP_IDLE_TIMEOUT', 'no stream header came in time'));
  }

  async #closeStreams(): Promise<void> {
    await Promise.all([...this.#streams.keys()].map((stream) => stream.close()));
    this.#link.end('in-order');
    this.#end({ clean: true, by: 'local', error: null });
  }

  async #cutStreams(): Promise<void> {
    const bytesOfAll = [...this.#streams.values()];
    for (const stream of this.#streams.keys()) stream.abort(new StreamError('system-shutdown'));
    // Two turns: one in which the streams hand over their last words, one in which they arrive.
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    for (const bytes of bytesOfAll) bytes.destroy();
    this.abort(new TransportError('XMPP_SHUTDOWN', 'the streams did not end before the deadline'));
  }

  #onLinkEnd(ending: LinkEnding): void {
    const error =
      ending === 'in-order'
        ? new TransportError('XMPP_PEER_CLOSED', 'the peer closed the connection')
        : new TransportError('XMPP_PEER_RESET', 'the peer ended the connection with an error');
    for (const bytes of this.#streams.values()) bytes.lose(error);
    this.#end(ending === 'in-order' ? { clean: true, by: 'peer', error: null } : { clean: false, by: 'peer', error });
  }

  #end(reason: CloseReason): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    clearTimeout(this.#headerTimer);
    this.#path.complete();
    if (reason.clean) this.#inbox.complete();
    else this.#inbox.fail(reason.error);
    this.#logger.debug({ clean: reason.clean, by: reason.by }, 'connection ended');
    this.#settleClosed(reason);
  }
}
