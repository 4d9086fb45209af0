import type { FaultCounters, FaultDirection } from './fault-events.ts';
import { type FaultPlan, NO_FAULTS } from './fault-plan.ts';

/** More than this waits in no direction, in bytes: who holds a fast sender must not eat the machine. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;

/** One direction of a forwarder: its plan, its state and its counters, which the lines of all clients share. */
export class FaultWay {
  readonly direction: FaultDirection;
  readonly counters: { -readonly [Name in keyof FaultCounters]: number } = {
    received: 0,
    receivedBytes: 0,
    sent: 0,
    sentBytes: 0,
    lost: 0,
    dropped: 0,
    dead: 0,
    overflowed: 0,
    corrupted: 0,
    duplicated: 0,
    reordered: 0,
    waiting: 0,
    refused: 0,
  };
  plan: FaultPlan = NO_FAULTS;
  isDead = false;
  #held: (() => void)[] | null = null;
  #waitingBytes = 0;

  constructor(direction: FaultDirection) {
    this.direction = direction;
  }

  get isHolding(): boolean {
    return this.#held !== null;
  }

  hold(): void {
    this.#held ??= [];
  }

  /** Keeps `leave` until the release. */
  keep(leave: () => void): void {
    this.#held?.push(leave);
  }

  /** Lets everything leave in the order in which it would have left. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const leave of held) leave();
  }

  /** Room for a datagram that has to wait; false when there is none. */
  enter(bytes: number): boolean {
    if (this.#waitingBytes + bytes > MOST_WAITING_BYTES) return false;
    this.#waitingBytes += bytes;
    this.counters.waiting += 1;
    return true;
  }

  /** Gives the room back. */
  exit(bytes: number): void {
    this.#waitingBytes -= bytes;
    this.counters.waiting -= 1;
  }

  /** Forgets what is held. */
  clear(): void {
    this.#held = null;
    this.#waitingBytes = 0;
    this.counters.waiting = 0;
  }
}
