import type { Observable, Observer, Subscriber, Subscription } from 'rxjs';
import type { Connection, StanzaStream } from './connection.ts';

/**
 * Gives `subscriber` the streams of all connections, and the end when `connections$` and all of them have ended. As
 * `mergeMap` would, with a tenth of its memory for each connection, of which there are thousands that do nothing.
 * @returns ends it.
 */
export function mergeStreams(connections$: Observable<Connection>, subscriber: Subscriber<StanzaStream>): () => void {
  const merger = new Merger(subscriber);
  merger.connections = connections$.subscribe({
    next: (connection) => merger.add(connection),
    error: (failure) => subscriber.error(failure),
    complete: () => merger.onConnectionsEnded(),
  });
  return () => merger.end();
}

class Merger {
  connections: Subscription | null = null;
  readonly #subscriber: Subscriber<StanzaStream>;
  readonly #open = new Set<Subscription>();
  #connectionsEnded = false;

  constructor(subscriber: Subscriber<StanzaStream>) {
    this.#subscriber = subscriber;
  }

  /** One for all connections; a connection that fails has told its own streams, and the others go on. */
  readonly #observer: Partial<Observer<StanzaStream>> = {
    next: (stream) => this.#subscriber.next(stream),
    error: () => undefined,
  };

  add({ streams$ }: Connection): void {
    const streams = streams$.subscribe(this.#observer);
    if (streams.closed) return;
    this.#open.add(streams);
    streams.add(() => {
      this.#open.delete(streams);
      this.#completeIfDone();
    });
  }

  onConnectionsEnded(): void {
    this.#connectionsEnded = true;
    this.#completeIfDone();
  }

  end(): void {
    this.connections?.unsubscribe();
    for (const streams of this.#open) streams.unsubscribe();
  }

  #completeIfDone(): void {
    if (this.#connectionsEnded && this.#open.size === 0) this.#subscriber.complete();
  }
}
