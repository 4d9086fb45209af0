import {
  GuardedObservable,
  type Logger,
  type NetworkPath,
  type SocketAddress,
  toTransportError,
} from '@stanzaport/core';
import { BehaviorSubject, type Observable } from 'rxjs';
import type { Carrier } from './endpoint/carrier.ts';

/** Who knows where datagrams go. */
interface PathOwner {
  readonly carrier: Carrier;
}

/** The path of a connection as the contract tells it. Most connections are never asked, and pay nothing for it. */
export class ObservedPath {
  readonly #owner: PathOwner;
  readonly #logger: Logger;
  #subject: BehaviorSubject<NetworkPath> | null = null;
  #observable: Observable<NetworkPath> | null = null;
  #ended = false;

  constructor(owner: PathOwner, logger: Logger) {
    this.#owner = owner;
    this.#logger = logger;
  }

  get current(): NetworkPath {
    const { socket, remoteAddress, remotePort } = this.#owner.carrier;
    const remote: SocketAddress = { family: socket.address.family, address: remoteAddress, port: remotePort };
    return { local: socket.address, remote };
  }

  /** The current path at once, then every other one. */
  get observable(): Observable<NetworkPath> {
    if (this.#observable !== null) return this.#observable;
    const subject = new BehaviorSubject(this.current);
    if (this.#ended) subject.complete();
    const onHandlerError = (thrown: unknown): void =>
      this.#logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of the connection failed');
    this.#subject = subject;
    this.#observable = new GuardedObservable(onHandlerError, (subscriber) => subject.subscribe(subscriber));
    return this.#observable;
  }

  /** The path may be another one. */
  update(): void {
    if (this.#subject === null) return;
    const { local, remote } = this.current;
    const before = this.#subject.value;
    if (!isSame(local, before.local) || !isSame(remote, before.remote)) this.#subject.next({ local, remote });
  }

  end(): void {
    this.#ended = true;
    this.#subject?.complete();
  }
}

function isSame(one: SocketAddress, other: SocketAddress): boolean {
  return one.port === other.port && one.address === other.address;
}
