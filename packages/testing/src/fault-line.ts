import type { FaultDice } from './fault-dice.ts';
import type { DiscardReason } from './fault-events.ts';
import type { FaultSchedule } from './fault-schedule.ts';
import type { FaultWay } from './fault-way.ts';

/** Where a line ends. A route is what the datagram was to leave by when it came. */
export interface FaultOutlet<Route> {
  send(datagram: Uint8Array, route: Route): void;
  onDiscarded(datagram: Uint8Array, reason: DiscardReason): void;
}

/** A datagram that others are to pass. */
interface HeldBack<Route> {
  readonly datagram: Uint8Array;
  readonly route: Route;
  readonly delayMs: number;
  stillToPass: number;
}

const COUNTER_OF = { lost: 'lost', dropped: 'dropped', dead: 'dead', overflow: 'overflowed' } as const;

/**
 * What one client's datagrams go through in one direction: dice, reordering, bottleneck, delay, and the gate where they
 * wait while the direction is held. Without faults a datagram is sent in the call in which it came.
 */
export class FaultLine<Route> {
  isDead = false;
  readonly #way: FaultWay;
  readonly #schedule: FaultSchedule;
  readonly #dice: FaultDice;
  readonly #outlet: FaultOutlet<Route>;
  readonly #heldBack = new Set<HeldBack<Route>>();
  #delayed = 0;
  #lastAtMs = 0;
  #bottleneckFreeAtMs = 0;

  constructor(way: FaultWay, schedule: FaultSchedule, dice: FaultDice, outlet: FaultOutlet<Route>) {
    this.#way = way;
    this.#schedule = schedule;
    this.#dice = dice;
    this.#outlet = outlet;
  }

  /** @param nowMs on the clock of `performance.now()`, in milliseconds. */
  push(datagram: Uint8Array, route: Route, nowMs: number): void {
    if (this.isDead || this.#way.isDead) return this.discard(datagram, 'dead');
    const { plan, counters } = this.#way;
    const { lost, corrupted, duplicated, reordered, delayMs } = this.#dice.throw(plan);
    if (lost) return this.discard(datagram, 'lost');
    let carried = datagram;
    if (corrupted && datagram.length > 0) {
      counters.corrupted += 1;
      carried = this.#dice.flipBits(datagram, plan.corruptBits);
    }
    if (duplicated) counters.duplicated += 1;
    if (reordered) counters.reordered += 1;
    for (let copies = duplicated ? 2 : 1; copies > 0; copies--) {
      if (reordered) this.#holdBack(carried, route, delayMs, nowMs);
      else this.#transmit(carried, route, delayMs, nowMs);
    }
    if (!reordered && this.#heldBack.size > 0) this.#countPassing(nowMs);
  }

  discard(datagram: Uint8Array, reason: DiscardReason): void {
    this.#way.counters[COUNTER_OF[reason]] += 1;
    this.#outlet.onDiscarded(datagram, reason);
  }

  #holdBack(datagram: Uint8Array, route: Route, delayMs: number, nowMs: number): void {
    if (!this.#way.enter(datagram.length)) return this.discard(datagram, 'overflow');
    const { reorderGap, reorderWaitMs } = this.#way.plan;
    const held = { datagram, route, delayMs, stillToPass: reorderGap };
    this.#heldBack.add(held);
    this.#schedule.add(nowMs + reorderWaitMs, (laterMs) => this.#letGo(held, laterMs));
  }

  #countPassing(nowMs: number): void {
    for (const held of this.#heldBack) {
      held.stillToPass -= 1;
      if (held.stillToPass === 0) this.#letGo(held, nowMs);
    }
  }

  /** Does nothing for one that has gone already. */
  #letGo(held: HeldBack<Route>, nowMs: number): void {
    if (!this.#heldBack.delete(held)) return;
    this.#way.exit(held.datagram.length);
    this.#transmit(held.datagram, held.route, held.delayMs, nowMs);
  }

  #transmit(datagram: Uint8Array, route: Route, delayMs: number, nowMs: number): void {
    const { bytesPerSecond, queueBytes } = this.#way.plan;
    let departsAtMs = nowMs;
    if (bytesPerSecond !== Number.POSITIVE_INFINITY) {
      const beginsAtMs = Math.max(nowMs, this.#bottleneckFreeAtMs);
      const queuedBytes = ((beginsAtMs - nowMs) * bytesPerSecond) / 1_000;
      if (queuedBytes > 0 && queuedBytes + datagram.length > queueBytes) return this.discard(datagram, 'overflow');
      departsAtMs = beginsAtMs + (datagram.length * 1_000) / bytesPerSecond;
      this.#bottleneckFreeAtMs = departsAtMs;
    }
    // Also where a plan has become faster: who comes later does not overtake who is still on the way.
    const arrivesAtMs = Math.max(departsAtMs + delayMs, this.#lastAtMs);
    if (this.#delayed === 0 && arrivesAtMs <= nowMs) return this.#arrive(datagram, route);
    if (!this.#way.enter(datagram.length)) return this.discard(datagram, 'overflow');
    this.#delayed += 1;
    this.#lastAtMs = arrivesAtMs;
    this.#schedule.add(arrivesAtMs, () => {
      this.#delayed -= 1;
      this.#way.exit(datagram.length);
      this.#arrive(datagram, route);
    });
  }

  #arrive(datagram: Uint8Array, route: Route): void {
    if (!this.#way.isHolding) return this.#leave(datagram, route);
    if (!this.#way.enter(datagram.length)) return this.discard(datagram, 'overflow');
    this.#way.keep(() => {
      this.#way.exit(datagram.length);
      this.#leave(datagram, route);
    });
  }

  /** A path that has died meanwhile takes with it what was on it. */
  #leave(datagram: Uint8Array, route: Route): void {
    if (this.isDead || this.#way.isDead) return this.discard(datagram, 'dead');
    this.#way.counters.sent += 1;
    this.#way.counters.sentBytes += datagram.length;
    this.#outlet.send(datagram, route);
  }
}
