import type { Limits, Logger, StanzaStream } from '@stanzaport/core';
import type { Observable, Subscription } from 'rxjs';
import type { AccountStore } from './accounts.ts';
import type { Federation } from './federation/federation.ts';
import { IncomingStream, type IncomingStreamParts } from './federation/incoming-stream.ts';
import { Presence } from './presence.ts';
import { Resources } from './resources.ts';
import { Router } from './router.ts';
import type { ServedStream } from './served-stream.ts';
import { Session, type SessionParts } from './session.ts';

/** What a chat server is made from. */
export interface ChatServerOptions {
  /** The streams of clients and of other servers, from whatever transports; `TransportHub.streams$`. */
  readonly streams$: Observable<StanzaStream>;
  readonly accounts: AccountStore;
  /** The way to other servers. */
  readonly federation: Federation;
  /** Those of the transports. */
  readonly limits: Pick<Limits, 'maxStanzaBytes'>;
  readonly logger: Logger;
}

/** An XMPP server for people who chat: it takes streams, and neither knows nor cares how they came. */
export class ChatServer implements AsyncDisposable {
  readonly #streams$: Observable<StanzaStream>;
  readonly #parts: SessionParts;
  readonly #incomingParts: IncomingStreamParts;
  readonly #federation: Federation;
  readonly #sessions = new Map<ServedStream, Promise<void>>();
  #subscription: Subscription | null = null;

  constructor({ streams$, accounts, federation, limits, logger }: ChatServerOptions) {
    const resources = new Resources();
    const parts = { accounts, resources, outside: federation };
    const presence = new Presence(parts);
    const router = new Router({ ...parts, presence });
    this.#streams$ = streams$;
    this.#federation = federation;
    this.#parts = { accounts, resources, presence, router, logger };
    this.#incomingParts = {
      accounts,
      logger,
      maxStanzaBytes: limits.maxStanzaBytes,
      onStanza: (sender, stanza) => router.receive(sender, stanza),
      answer: (local, remote, answer) => federation.answer(local, remote, answer),
    };
  }

  /** Streams taken from clients and servers that have not ended. */
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
    await this.#federation.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #serve(stream: StanzaStream): void {
    const session: ServedStream =
      stream.connection.kind === 's2s'
        ? new IncomingStream(stream, this.#incomingParts)
        : new Session(stream, this.#parts);
    const ended = session.run().finally(() => this.#sessions.delete(session));
    this.#sessions.set(session, ended);
  }
}
