import { expect } from 'vitest';
import { Crowd } from './crowd.ts';
import { HonestPeer } from './honest-peer.ts';
import { MemoryServer, type Usage } from './memory-server.ts';

/** Connections that come and go before anything is measured, so that what is loaded and compiled once is not theirs. */
const WARM_UP = 30;
/** Round trips of a neighbour after which what has not moved is taken for stopped. */
const ROUND_TRIPS_OF_PATIENCE = 20;

/** A server whose memory is measured, a crowd of clients that do something to it, and a neighbour who goes on all the time. */
export class MemoryStage implements AsyncDisposable {
  readonly server: MemoryServer;
  readonly crowd: Crowd;
  /** When nobody was there. */
  readonly before: Usage;
  readonly #neighbour: HonestPeer;

  private constructor(server: MemoryServer, crowd: Crowd, before: Usage, neighbour: HonestPeer) {
    this.server = server;
    this.crowd = crowd;
    this.before = before;
    this.#neighbour = neighbour;
  }

  static async set(): Promise<MemoryStage> {
    const server = await MemoryServer.start();
    const crowd = new Crowd(server.port);
    await crowd.grow(WARM_UP);
    await crowd.disperse();
    await server.untilLeft(0);
    const before = await server.usage();
    // However long the server is busy, it stays where it is.
    const neighbour = await HonestPeer.connect(server.port, { migration: 'on-demand' });
    return new MemoryStage(server, crowd, before, neighbour);
  }

  /** Resolves when `moved` does not change any more while the neighbour exchanges stanzas. */
  async untilStill(moved: () => number | Promise<number>): Promise<void> {
    let before = Number.NaN;
    for (let roundTrips = 0; roundTrips < ROUND_TRIPS_OF_PATIENCE; roundTrips++) {
      await this.#neighbour.exchange();
      const now = await moved();
      if (now !== before) roundTrips = 0;
      before = now;
    }
  }

  /** Resolves when `condition` holds; it is asked after each stanza of the neighbour. */
  async until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition())) await this.#neighbour.exchange();
  }

  /** The crowd leaves at once, whatever is under way. @returns what the server has when there is no trace of it. */
  async leave(): Promise<Usage> {
    await this.server.letConsumersGoOn();
    await this.crowd.leave();
    await this.server.untilLeft(1);
    return this.server.usage();
  }

  /** Everybody leaves, and nothing may remain. */
  async expectNothingLeft(): Promise<void> {
    await this.leave();
    await this.#neighbour.leave();
    await this.server.untilLeft(0);
    const { resources } = this.before;
    expect(await this.server.usage()).toMatchObject({ connections: 0, routes: 0, pendingHandshakes: 0, resources });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#neighbour.leave();
    await this.crowd[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}
