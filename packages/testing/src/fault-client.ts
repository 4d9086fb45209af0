import type { SocketAddress } from '@stanzaport/core';
import { FaultDice } from './fault-dice.ts';
import type { DatagramEvent, DiscardReason, FaultDirection } from './fault-events.ts';
import { FaultLine } from './fault-line.ts';
import type { FaultSchedule } from './fault-schedule.ts';
import { FaultSocket } from './fault-socket.ts';
import type { FaultWay } from './fault-way.ts';

/** How the network gives a client another address. */
export interface RebindOptions {
  /** IP address that the target sees from now on; the one as before, with another port, if not given. */
  readonly address?: string;
  /**
   * Go on carrying what the target still sends to the old address, and let what was on its way leave from there. Otherwise
   * the old address is gone, as behind a NAT that has forgotten it. False by default.
   */
  readonly keepOld?: boolean;
}

/** What a client needs of its forwarder. */
export interface ClientSetup {
  readonly address: SocketAddress;
  /** In the order in which the forwarder met its clients, from 0: with the seed, it chooses the dice. */
  readonly number: number;
  readonly seed: number;
  readonly upstreamHost: string;
  readonly target: { readonly address: string; readonly port: number };
  readonly toServer: FaultWay;
  readonly toClient: FaultWay;
  readonly schedule: FaultSchedule;
  /** Where the client sends to, and where its answers come from. */
  readonly front: FaultSocket;
  /** Whether somebody asked for the datagram to be dropped. */
  readonly isToBeDropped: (direction: FaultDirection, client: ForwardedClient, datagram: Uint8Array) => boolean;
  /** Null while nobody watches. */
  readonly watcher: () => ((event: DatagramEvent) => void) | null;
}

/**
 * One client of a forwarder, told from others by its address and port: it has a socket of its own towards the target, as a
 * NAT would give it, and in each direction a line with dice of its own.
 */
export class ForwardedClient {
  /** What the client sends from. */
  readonly address: SocketAddress;
  readonly #setup: ClientSetup;
  readonly #toServer: FaultLine<FaultSocket>;
  readonly #toClient: FaultLine<FaultSocket>;
  readonly #sockets = new Set<FaultSocket>();
  #upstream: FaultSocket;
  #isClosed = false;

  /** @internal */
  constructor(setup: ClientSetup) {
    this.address = setup.address;
    this.#setup = setup;
    this.#upstream = this.#openUpstream(setup.upstreamHost);
    const { target, schedule, seed, number } = setup;
    this.#toServer = new FaultLine(setup.toServer, schedule, new FaultDice(seed, number, 0), {
      send: (datagram, socket) => {
        this.#tell('sent', 'to-server', datagram);
        (socket.isClosed ? this.#upstream : socket).send(datagram, target.address, target.port);
      },
      onDiscarded: (datagram, reason) => this.#tellDiscarded(reason, 'to-server', datagram),
    });
    this.#toClient = new FaultLine(setup.toClient, schedule, new FaultDice(seed, number, 1), {
      send: (datagram, socket) => {
        this.#tell('sent', 'to-client', datagram);
        socket.send(datagram, this.address.address, this.address.port);
      },
      onDiscarded: (datagram, reason) => this.#tellDiscarded(reason, 'to-client', datagram),
    });
  }

  /** What the target sees as the client's address; null until the system has given one. */
  get upstream(): SocketAddress | null {
    return this.#upstream.address;
  }

  /**
   * Gives the client another port, or another address, towards the target; resolves when it is in use. What the forwarder
   * is delaying leaves from there as well, unless the old address is kept. Does nothing once the forwarder is closed.
   * @throws TransportError `XMPP_ADDRESS_UNAVAILABLE` when the address is none of this machine.
   */
  async rebind({ address, keepOld = false }: RebindOptions = {}): Promise<void> {
    const fresh = this.#openUpstream(address ?? this.upstream?.address ?? this.#setup.upstreamHost);
    try {
      await fresh.bound;
    } catch (error) {
      await this.#closeSocket(fresh);
      throw error;
    }
    if (this.#isClosed) return this.#closeSocket(fresh);
    const old = this.#upstream;
    this.#upstream = fresh;
    if (!keepOld) await this.#closeSocket(old);
  }

  /** The path of this client goes dead: nothing passes, and nobody is told. */
  die(direction: FaultDirection | 'both' = 'both'): void {
    this.#setDead(direction, true);
  }

  /** The path of this client carries again, unless the whole forwarder is dead. */
  revive(direction: FaultDirection | 'both' = 'both'): void {
    this.#setDead(direction, false);
  }

  /** @internal A datagram of the client has come. */
  onDatagram(datagram: Uint8Array): void {
    this.#push(this.#setup.toServer, this.#toServer, datagram, this.#upstream);
  }

  /** @internal */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#sockets].map((socket) => this.#closeSocket(socket)));
  }

  #openUpstream(host: string): FaultSocket {
    const { toServer, toClient, front } = this.#setup;
    const socket = new FaultSocket(host, 0, {
      onDatagram: (datagram) => this.#push(toClient, this.#toClient, datagram, front),
      onRefused: () => {
        toServer.counters.refused += 1;
      },
    });
    this.#sockets.add(socket);
    return socket;
  }

  #closeSocket(socket: FaultSocket): Promise<void> {
    this.#sockets.delete(socket);
    return socket.close();
  }

  #push(way: FaultWay, line: FaultLine<FaultSocket>, datagram: Uint8Array, route: FaultSocket): void {
    way.counters.received += 1;
    way.counters.receivedBytes += datagram.length;
    this.#tell('received', way.direction, datagram);
    if (this.#setup.isToBeDropped(way.direction, this, datagram)) {
      line.discard(datagram, 'dropped');
    } else {
      line.push(datagram, route, performance.now());
    }
  }

  #tell(type: 'received' | 'sent', direction: FaultDirection, datagram: Uint8Array): void {
    this.#setup.watcher()?.({ type, direction, client: this, datagram });
  }

  #tellDiscarded(reason: DiscardReason, direction: FaultDirection, datagram: Uint8Array): void {
    this.#setup.watcher()?.({ type: 'discarded', reason, direction, client: this, datagram });
  }

  #setDead(direction: FaultDirection | 'both', isDead: boolean): void {
    if (direction !== 'to-client') this.#toServer.isDead = isDead;
    if (direction !== 'to-server') this.#toClient.isDead = isDead;
  }
}
