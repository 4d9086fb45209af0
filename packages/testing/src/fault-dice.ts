import { SeededRandom } from './cases/random.ts';
import type { FaultPlan } from './fault-plan.ts';

/** What is to happen to one datagram. */
export interface Fate {
  lost: boolean;
  corrupted: boolean;
  duplicated: boolean;
  reordered: boolean;
  delayMs: number;
}

const WHOLE = 2 ** 32;

/**
 * The dice of one line. Each fault has a die of its own, and each die is thrown once for each datagram, whatever the plan
 * says: so the fate of the n-th datagram is a function of the seed, n and the plan, and of nothing else.
 */
export class FaultDice {
  readonly #loss: SeededRandom;
  readonly #corrupt: SeededRandom;
  readonly #duplicate: SeededRandom;
  readonly #reorder: SeededRandom;
  readonly #jitter: SeededRandom;
  readonly #bits: SeededRandom;
  readonly #fate: Fate = { lost: false, corrupted: false, duplicated: false, reordered: false, delayMs: 0 };
  #stillToLose = 0;

  /** @param seeds all of them together choose the numbers. */
  constructor(...seeds: readonly number[]) {
    const die = (fault: number): SeededRandom => new SeededRandom([...seeds, fault].reduce(mix, 0));
    this.#loss = die(1);
    this.#corrupt = die(2);
    this.#duplicate = die(3);
    this.#reorder = die(4);
    this.#jitter = die(5);
    this.#bits = die(6);
  }

  /** The fate of the next datagram; the same object at every call. */
  throw(plan: FaultPlan): Readonly<Fate> {
    const fate = this.#fate;
    fate.lost = this.#loses(plan);
    fate.corrupted = this.#corrupt.below(WHOLE) < plan.corrupt * WHOLE;
    fate.duplicated = this.#duplicate.below(WHOLE) < plan.duplicate * WHOLE;
    fate.reordered = this.#reorder.below(WHOLE) < plan.reorder * WHOLE;
    fate.delayMs = plan.delayMs + (this.#jitter.below(WHOLE) / WHOLE) * plan.jitterMs;
    return fate;
  }

  /** A copy of `datagram`, which is not empty, with `count` neighbouring bits flipped. */
  flipBits(datagram: Uint8Array, count: number): Uint8Array {
    const copy = Uint8Array.from(datagram);
    const all = copy.length * 8;
    const first = this.#bits.below(all);
    for (let offset = 0; offset < Math.min(count, all); offset++) {
      const bit = (first + offset) % all;
      copy[bit >> 3] = (copy[bit >> 3] as number) ^ (0x80 >> (bit & 7));
    }
    return copy;
  }

  #loses({ loss, lossBurst }: FaultPlan): boolean {
    // A burst begins so much more rarely than single losses would that their share of all stays the same.
    const begins = this.#loss.below(WHOLE) < (loss / (loss + lossBurst * (1 - loss))) * WHOLE;
    if (this.#stillToLose > 0) {
      this.#stillToLose -= 1;
      return true;
    }
    if (begins) this.#stillToLose = lossBurst - 1;
    return begins;
  }
}

/** The finalizer of MurmurHash3, which spreads neighbouring seeds: xorshift would begin alike with them. */
function mix(seed: number, value: number): number {
  let mixed = Math.imul(seed, 31) + Math.floor(value) + 0x9e3779b9;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
