import type { Observable, Subscription } from 'rxjs';
import type { Connection, StanzaStream } from './connection.ts';
import { TransportError, toTransportError } from './errors.ts';
import { GuardedObservable } from './guarded-observable.ts';
import { Inbox } from './inbox.ts';
import type { Logger } from './logger.ts';
import { mergeStreams } from './merge-streams.ts';
import { endingFaultyStreams } from './stream-handler-fault.ts';
import type { TransportRegistration } from './tokens.ts';
import type { DrainOptions, Listener, Transport } from './transport.ts';

/**
 * Every bound transport as one: starts the configured listeners, merges what they accept, and drains all of them. It
 * is the only thing a server has to take from its container.
 */
export class TransportHub implements AsyncDisposable {
  /** Connections accepted by any listener, each once. Completes after {@link stop}. */
  readonly connections$: Observable<Connection>;
  /** Streams opened by any peer on any accepted connection, each once. Completes after {@link stop}. */
  readonly streams$: Observable<StanzaStream>;

  readonly #registrations: readonly TransportRegistration[];
  readonly #logger: Logger;
  readonly #inbox: Inbox<Connection>;
  readonly #subscriptions: Subscription[] = [];
  #listeners: readonly Listener[] = [];
  #starting: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(registrations: readonly TransportRegistration[], logger: Logger) {
    this.#registrations = registrations;
    this.#logger = logger;
    const onHandlerError = (thrown: unknown): void =>
      logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of the transport hub failed');
    this.#inbox = new Inbox(onHandlerError);
    this.connections$ = this.#inbox.observable;
    this.streams$ = new GuardedObservable(endingFaultyStreams(logger), (subscriber) =>
      mergeStreams(this.connections$, subscriber),
    );
  }

  /** The running listeners, in the order of configuration. */
  get listeners(): readonly Listener[] {
    return this.#listeners;
  }

  get transports(): readonly Transport[] {
    return this.#registrations.map(({ transport }) => transport);
  }

  /** @throws TransportError `XMPP_BAD_OPTION` when no transport of that name is bound. */
  transport(name: string): Transport {
    const found = this.transports.find((transport) => transport.name === name);
    if (found !== undefined) return found;
    const names = this.transports.map((transport) => transport.name).join(', ') || 'none';
    throw new TransportError('XMPP_BAD_OPTION', `no transport '${name}' is bound (bound: ${names})`);
  }

  /**
   * Starts every configured listener. When one cannot start, those that did are closed again, and a later call tries
   * anew. Idempotent.
   * @throws TransportError of the first listener that failed; `XMPP_INVALID_STATE` after {@link stop}.
   */
  start(): Promise<void> {
    if (this.#stopping !== null) {
      return Promise.reject(new TransportError('XMPP_INVALID_STATE', 'the transport hub has been stopped'));
    }
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = null;
      throw error;
    });
    return this.#starting;
  }

  /**
   * Closes every listener as {@link Listener.close} does; resolves when all is released. Idempotent, never rejects. The
   * first call decides how long that takes: a later one waits with it, and its `options` change nothing. Connections that
   * were made by `connect` are their maker's and stay.
   */
  stop(options: DrainOptions = {}): Promise<void> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #start(): Promise<void> {
    const attempts = this.#registrations.flatMap(({ transport, listen }) =>
      listen.map((options) => transport.listen(options)),
    );
    const results = await Promise.allSettled(attempts);
    const listeners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      await Promise.all(listeners.map((listener) => listener.close({ drainMs: 0 })));
      throw toTransportError(failed.reason, 'listen');
    }
    this.#listeners = listeners;
    if (listeners.length === 0) this.#logger.warn('no listener is configured, so nobody can connect');
    for (const listener of listeners) {
      this.#subscriptions.push(listener.connections$.subscribe((connection) => this.#announce(connection)));
      const { family, address, port } = listener.address;
      this.#logger.info({ transport: listener.transport, family, address, port }, 'listening');
    }
  }

  #announce(connection: Connection): void {
    this.#inbox.push(connection);
    void connection.closed.then(() => this.#inbox.drop(connection));
  }

  async #stop(options: DrainOptions): Promise<void> {
    await this.#starting?.catch(() => undefined);
    await Promise.all(this.#listeners.map((listener) => listener.close(options)));
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#inbox.complete();
  }
}
