import { type Connection, type DrainOptions, Inbox, type Listener, type SocketAddress } from '@stanzaport/core';
import type { Observable } from 'rxjs';
import type { MemoryConnection } from './memory-connection.ts';

/** What a memory listener is made from. */
export interface MemoryListenerOptions {
  readonly address: SocketAddress;
  /** What `close` waits for when it is told nothing else, in milliseconds. */
  readonly defaultDrainMs: number;
  readonly onHandlerError: (thrown: unknown) => void;
  /** Gives the port back. */
  readonly release: () => void;
}

/** A port of a memory network with the connections that came in by it. */
export class MemoryListener implements Listener {
  readonly transport = 'memory';
  readonly address: SocketAddress;
  readonly connections$: Observable<Connection>;

  readonly #inbox: Inbox<Connection>;
  readonly #connections = new Set<MemoryConnection>();
  readonly #defaultDrainMs: number;
  readonly #release: () => void;
  #closing: Promise<void> | null = null;

  constructor({ address, defaultDrainMs, onHandlerError, release }: MemoryListenerOptions) {
    this.address = address;
    this.#defaultDrainMs = defaultDrainMs;
    this.#release = release;
    this.#inbox = new Inbox(onHandlerError);
    this.connections$ = this.#inbox.observable;
  }

  announce(connection: MemoryConnection): void {
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    this.#inbox.push(connection);
  }

  close({ drainMs = this.#defaultDrainMs }: DrainOptions = {}): Promise<void> {
    this.#closing ??= this.#drain(drainMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #drain(drainMs: number): Promise<void> {
    this.#release();
    await Promise.all([...this.#connections].map((connection) => connection.drain(drainMs)));
    this.#inbox.complete();
  }
}
