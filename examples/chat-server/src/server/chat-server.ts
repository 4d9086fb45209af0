import type { Logger, StanzaStream } from '@stanzaport/core';
import type { Observable, Subscription } from 'rxjs';
import type { AccountStore } from './accounts.ts';
import { Presence } from './presence.ts';
import { Resources } from './resources.ts';
import { Router } from './router.ts';
import { Session, type SessionParts } from './session.ts';

/** What a chat server is made from. */
export interface ChatServerOptions {
  /** The streams of clients, from whatever transports; `TransportHub.streams$`. */
  readonly streams$: Observable<StanzaStream>;
  readonly accounts: AccountStore;
  readonly logger: Logger;
}

/** An XMPP server for people who chat: it takes streams, and neither knows nor cares how they came. */
export class ChatServer implements AsyncDisposable {
  readonly #streams$: Observable<StanzaStream>;
  readonly #parts: SessionParts;
  readonly #sessions = new Map<Session, Promise<void>>();
  #subscription: Subscription | null = null;

  constructor({ streams$, accounts, logger }: ChatServerOptions) {
    const resources = new Resources();
    const presence = new Presence(resources);
    this.#streams$ = streams$;
    this.#parts = { accounts, resources, presence, router: new Router({ accounts, resources, presence }), logger };
  }

  /** Streams that have not ended. */
  get sessionCount(): number {
    return this.#sessions.size;
  }

  start(): void {
    this.#subscription ??= this.#streams$.subscribe((stream) => this.#serve(stream));
  }

  /** Ends every stream with `system-shutdown`; resolves when all have ended. */
  async stop(): Promise<void> {
    this.#subscription?.unsubscribe();
    for (const session of this.#sessions.keys()) session.end('system-shutdown');
    await Promise.all(this.#sessions.values());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #serve(stream: StanzaStream): void {
    const session = new Session(stream, this.#parts);
    const ended = session.run().finally(() => this.#sessions.delete(session));
    this.#sessions.set(session, ended);
  }
}
