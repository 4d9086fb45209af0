import { isIP, isIPv6 } from 'node:net';
import { type SocketAddress, TransportError } from '@stanzaport/core';
import { type Observable, Subject } from 'rxjs';
import { ForwardedClient, type RebindOptions } from './fault-client.ts';
import type { DatagramEvent, FaultCounters, FaultDirection, SeenDatagram } from './fault-events.ts';
import { type FaultPlan, resolveFaultPlan } from './fault-plan.ts';
import { FaultSchedule } from './fault-schedule.ts';
import { FaultSocket } from './fault-socket.ts';
import { FaultWay } from './fault-way.ts';

/** What a forwarder stands between, and what it does at first. */
export interface UdpForwarderOptions {
  /** Where clients' datagrams go: an IP address and a port, so also a listener's `address`. */
  readonly target: { readonly address: string; readonly port: number };
  /** Where clients send to. By default a free port (0) of the loopback address of the target's family. */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /**
   * IP address that the target sees. By default the loopback address if the target is on it, and otherwise what the system
   * chooses.
   */
  readonly upstreamHost?: string;
  /** Chooses all that is left to chance; a whole number, 1 by default. */
  readonly seed?: number;
  /** Faults of what clients send; none by default. */
  readonly toServer?: Partial<FaultPlan>;
  /** Faults of what the target sends; none by default. */
  readonly toClient?: Partial<FaultPlan>;
}

/** Which of the next datagrams are meant. */
export type DatagramPredicate = (seen: SeenDatagram) => boolean;

/** Further clients find no room: each one holds a socket. */
const MOST_CLIENTS = 1_000;

interface Drop {
  skip: number;
  left: number;
  readonly predicate: DatagramPredicate;
}

/**
 * A bad network on one machine, for UDP of any kind: clients send to {@link UdpForwarder.address}, and their datagrams reach
 * the target as from a NAT, from one socket for each client. On the way they meet the faults of a seeded plan, which may be
 * exchanged at any time, and those that are commanded.
 *
 * The same seed gives the n-th datagram of the same client in the same direction the same fate. What the forwarder cannot
 * promise is what the kernel drops when a burst is larger than a socket's buffer.
 */
export class UdpForwarder implements AsyncDisposable {
  /** Every datagram that comes, leaves, or is discarded; nothing is replayed, and `close` completes it. */
  readonly datagrams$: Observable<DatagramEvent>;
  readonly #target: { readonly address: string; readonly port: number };
  readonly #seed: number;
  readonly #upstreamHost: string;
  readonly #front: FaultSocket;
  readonly #toServer = new FaultWay('to-server');
  readonly #toClient = new FaultWay('to-client');
  readonly #schedule = new FaultSchedule();
  readonly #datagrams = new Subject<DatagramEvent>();
  readonly #tell = (event: DatagramEvent): void => this.#datagrams.next(event);
  readonly #clients: ForwardedClient[] = [];
  /** A client is found by its port and then by its address, without making a key for each datagram. */
  readonly #byPort = new Map<number, ForwardedClient[]>();
  #drops: Drop[] = [];
  #closed: Promise<void> | null = null;

  private constructor(options: UdpForwarderOptions) {
    const { target, listen = {}, seed = 1, upstreamHost } = options;
    this.#target = { address: reachable(target.address), port: target.port };
    this.#seed = seed;
    this.#upstreamHost = upstreamHost ?? hostTowards(this.#target.address);
    this.#toServer.plan = resolveFaultPlan(options.toServer);
    this.#toClient.plan = resolveFaultPlan(options.toClient);
    this.datagrams$ = this.#datagrams.asObservable();
    this.#front = new FaultSocket(listen.host ?? loopbackLike(target.address), listen.port ?? 0, {
      onDatagram: (datagram, address, port) => this.#clientAt(address, port)?.onDatagram(datagram),
      onRefused: () => {
        this.#toClient.counters.refused += 1;
      },
    });
  }

  /**
   * Resolves when the forwarder carries.
   * @throws TransportError `XMPP_BAD_OPTION`, `XMPP_ADDRESS_IN_USE` or `XMPP_ADDRESS_UNAVAILABLE`.
   */
  static async open(options: UdpForwarderOptions): Promise<UdpForwarder> {
    checkOptions(options);
    const forwarder = new UdpForwarder(options);
    try {
      await forwarder.#front.bound;
    } catch (error) {
      await forwarder.close();
      throw error;
    }
    return forwarder;
  }

  /** Where clients send to. */
  get address(): SocketAddress {
    return this.#front.address as SocketAddress;
  }

  /** Those that have sent something, in the order of their first datagram. A client that migrates is a further one. */
  get clients(): readonly ForwardedClient[] {
    return [...this.#clients];
  }

  /** What has been counted until now. */
  get counters(): { readonly toServer: FaultCounters; readonly toClient: FaultCounters } {
    return { toServer: { ...this.#toServer.counters }, toClient: { ...this.#toClient.counters } };
  }

  /** The faults of what clients send. A new plan replaces the old one as a whole and holds from the next datagram on. */
  get toServer(): FaultPlan {
    return this.#toServer.plan;
  }

  set toServer(plan: Partial<FaultPlan>) {
    this.#toServer.plan = resolveFaultPlan(plan);
  }

  /** The faults of what the target sends; as {@link UdpForwarder.toServer}. */
  get toClient(): FaultPlan {
    return this.#toClient.plan;
  }

  set toClient(plan: Partial<FaultPlan>) {
    this.#toClient.plan = resolveFaultPlan(plan);
  }

  /**
   * Gives every client another port, or another address, towards the target; resolves when all are in use.
   * @throws TransportError `XMPP_ADDRESS_UNAVAILABLE` when the address is none of this machine.
   */
  async rebind(options: RebindOptions = {}): Promise<void> {
    await Promise.all(this.clients.map((client) => client.rebind(options)));
  }

  /** Goes dead: nothing passes, what is on its way is gone, and nobody is told. Also for clients that come later. */
  die(direction: FaultDirection | 'both' = 'both'): void {
    for (const way of this.#ways(direction)) way.isDead = true;
  }

  /** Ends {@link UdpForwarder.die}; a client that was made to die alone stays dead. */
  revive(direction: FaultDirection | 'both' = 'both'): void {
    for (const way of this.#ways(direction)) way.isDead = false;
  }

  /** Lets nothing out until {@link UdpForwarder.release}, and loses nothing, up to 64 MiB in each direction. */
  hold(direction: FaultDirection | 'both' = 'both'): void {
    for (const way of this.#ways(direction)) way.hold();
  }

  /** Sends all that was held, in order and at once. */
  release(direction: FaultDirection | 'both' = 'both'): void {
    for (const way of this.#ways(direction)) way.release();
  }

  /**
   * Drops the next `count` datagrams for which `predicate` answers true; every one is meant if there is none. Several such
   * wishes count independently of each other.
   */
  dropNext(count = 1, predicate: DatagramPredicate = () => true): void {
    if (count > 0) this.#drops.push({ skip: 0, left: count, predicate });
  }

  /** Drops only the `n`-th of the next datagrams for which `predicate` answers true; the next one is the first. */
  dropNth(n: number, predicate: DatagramPredicate = () => true): void {
    if (n > 0) this.#drops.push({ skip: n - 1, left: 1, predicate });
  }

  /** Releases every socket and the timer; what was on its way is gone. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#schedule.clear();
    for (const way of this.#ways('both')) way.clear();
    await Promise.all([this.#front.close(), ...this.#clients.map((client) => client.close())]);
    this.#datagrams.complete();
  }

  #ways(direction: FaultDirection | 'both'): readonly FaultWay[] {
    return [this.#toServer, this.#toClient].filter((way) => direction === 'both' || way.direction === direction);
  }

  #clientAt(address: string, port: number): ForwardedClient | null {
    const onPort = this.#byPort.get(port);
    const known = onPort?.find((client) => client.address.address === address);
    if (known !== undefined) return known;
    if (this.#clients.length === MOST_CLIENTS) {
      this.#toServer.counters.received += 1;
      this.#toServer.counters.overflowed += 1;
      return null;
    }
    const client = new ForwardedClient({
      address: Object.freeze({ family: isIPv6(address) ? 'IPv6' : 'IPv4', address, port }),
      number: this.#clients.length,
      seed: this.#seed,
      upstreamHost: this.#upstreamHost,
      target: this.#target,
      toServer: this.#toServer,
      toClient: this.#toClient,
      schedule: this.#schedule,
      front: this.#front,
      isToBeDropped: (direction, of, datagram) => this.#drops.length > 0 && this.#drop(direction, of, datagram),
      watcher: () => (this.#datagrams.observed ? this.#tell : null),
    });
    this.#clients.push(client);
    if (onPort === undefined) this.#byPort.set(port, [client]);
    else onPort.push(client);
    return client;
  }

  /** Each wish counts every datagram that it means, also one that another wish has dropped. */
  #drop(direction: FaultDirection, client: ForwardedClient, datagram: Uint8Array): boolean {
    const meant = this.#drops.filter(({ predicate }) => predicate({ direction, client, datagram }));
    let dropped = false;
    for (const drop of meant) {
      if (drop.skip > 0) {
        drop.skip -= 1;
      } else {
        drop.left -= 1;
        dropped = true;
      }
    }
    this.#drops = this.#drops.filter(({ left }) => left > 0);
    return dropped;
  }
}

function checkOptions({ target, listen = {}, upstreamHost, seed = 1 }: UdpForwarderOptions): void {
  for (const [name, address] of Object.entries({ target: target.address, listen: listen.host, upstreamHost })) {
    if (address !== undefined && isIP(address) === 0) {
      throw new TransportError('XMPP_BAD_OPTION', `${name}: '${address}' is no IP address`);
    }
  }
  for (const [name, port, least] of [
    ['target', target.port, 1],
    ['listen', listen.port ?? 0, 0],
  ] as const) {
    if (!Number.isInteger(port) || port < least || port > 65_535) {
      throw new TransportError('XMPP_BAD_OPTION', `${name}: ${port} is no port`);
    }
  }
  if (upstreamHost !== undefined && isIPv6(upstreamHost) !== isIPv6(target.address)) {
    throw new TransportError('XMPP_BAD_OPTION', `upstreamHost: ${upstreamHost} is not of the target's family`);
  }
  if (!Number.isSafeInteger(seed)) throw new TransportError('XMPP_BAD_OPTION', `seed: ${seed} is no whole number`);
}

function loopbackLike(address: string): string {
  return isIPv6(address) ? '::1' : '127.0.0.1';
}

/** A listener that is bound to all addresses is reached at the loopback one. */
function reachable(address: string): string {
  return address === '0.0.0.0' || address === '::' ? loopbackLike(address) : address;
}

function hostTowards(target: string): string {
  if (target.startsWith('127.') || target === '::1') return loopbackLike(target);
  return isIPv6(target) ? '::' : '0.0.0.0';
}
