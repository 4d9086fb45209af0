import type { Observable } from 'rxjs';
import type { Connection } from './connection.ts';
import { toTransportError } from './errors.ts';
import type { SocketAddress } from './facts.ts';
import { Inbox } from './inbox.ts';
import type { Limits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { SingleStreamConnection } from './single-stream-connection.ts';
import type { DrainOptions, Listener } from './transport.ts';

/** What a listener of single-stream connections is made from. */
export interface SingleStreamListenerOptions {
  /** Name of the transport. */
  readonly transport: string;
  /** The real address, bound already. */
  readonly address: SocketAddress;
  readonly limits: Limits;
  readonly logger: Logger;
  /** Accepts no more from now on; resolves when the port is free again. Called once. */
  stopAccepting(): Promise<unknown>;
}

/** Announces the connections a transport accepts, and drains them when it is closed. */
export class SingleStreamListener implements Listener {
  readonly transport: string;
  readonly address: SocketAddress;
  readonly connections$: Observable<Connection>;
  readonly #inbox: Inbox<Connection>;
  readonly #connections = new Set<SingleStreamConnection>();
  readonly #defaultDrainMs: number;
  readonly #stopAccepting: () => Promise<unknown>;
  #closing: Promise<void> | null = null;

  constructor({ transport, address, limits, logger, stopAccepting }: SingleStreamListenerOptions) {
    this.transport = transport;
    this.address = address;
    this.#defaultDrainMs = limits.closeTimeoutMs;
    this.#stopAccepting = stopAccepting;
    this.#inbox = new Inbox((thrown) =>
      logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of the listener failed'),
    );
    this.connections$ = this.#inbox.observable;
  }

  /** Connections that are open now. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Announces a connection that is secured; one that comes after `close` is shut down. */
  announce(connection: SingleStreamConnection): void {
    if (this.#closing !== null) {
      connection.shutDown();
      return;
    }
    this.#connections.add(connection);
    void connection.released.then(() => this.#connections.delete(connection));
    this.#inbox.push(connection);
    // Nobody can do anything with one that has ended while it waited.
    void connection.closed.then(() => this.#inbox.drop(connection));
  }

  close({ drainMs = this.#defaultDrainMs }: DrainOptions = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(drainMs: number): Promise<void> {
    const stopped = this.#stopAccepting();
    const connections = [...this.#connections];
    const shutDown = (): void => {
      for (const connection of connections) connection.shutDown();
    };
    const deadline = drainMs > 0 ? setTimeout(shutDown, drainMs) : undefined;
    if (drainMs > 0) for (const connection of connections) void connection.close();
    else shutDown();
    await Promise.all(connections.map(({ released }) => released));
    clearTimeout(deadline);
    await stopped;
    this.#inbox.complete();
  }
}
