import { TransportError } from '@stanzaport/core';

/**
 * What a network does to the datagrams of one direction. Shares are numbers from 0 to 1, and each fault strikes by dice of
 * its own: whether datagram 17 gets lost does not depend on what else the plan holds.
 * Every field has a default ({@link NO_FAULTS}).
 */
export interface FaultPlan {
  /** Share of the datagrams that get lost. */
  readonly loss: number;
  /** How many are lost in a row whenever loss strikes; `loss` stays their share of all. */
  readonly lossBurst: number;
  /** How long each datagram is on its way, in milliseconds. */
  readonly delayMs: number;
  /** How much longer at most, evenly distributed, in milliseconds. Jitter alone never changes the order. */
  readonly jitterMs: number;
  /** Share of the datagrams that are held back until later ones of the same client have passed them. */
  readonly reorder: number;
  /** How many have to pass. The default, 3, is where QUIC takes a packet for lost (RFC 9002 §6.1.1). */
  readonly reorderGap: number;
  /** How long one is held back at most when too few come to pass it, in milliseconds. */
  readonly reorderWaitMs: number;
  /** Share of the datagrams that arrive twice, the copy right behind the original. */
  readonly duplicate: number;
  /** Share of the datagrams that have bits flipped. UDP's checksum is made anew, so they do arrive. */
  readonly corrupt: number;
  /** How many neighbouring bits are flipped. */
  readonly corruptBits: number;
  /** What the bottleneck of each client's line lets through, in bytes of payload a second. */
  readonly bytesPerSecond: number;
  /** What may wait before the bottleneck, in bytes of payload; what does not fit is dropped. */
  readonly queueBytes: number;
}

/** The defaults of {@link FaultPlan}: a line that does nothing but carry. */
export const NO_FAULTS: FaultPlan = Object.freeze({
  loss: 0,
  lossBurst: 1,
  delayMs: 0,
  jitterMs: 0,
  reorder: 0,
  reorderGap: 3,
  reorderWaitMs: 100,
  duplicate: 0,
  corrupt: 0,
  corruptBits: 1,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  queueBytes: 65_536,
});

/** Longest delay a Node.js timer can hold; beyond it the timer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

type Range = readonly [least: number, most: number, whole?: 'whole'];

const RANGES: Readonly<Record<keyof FaultPlan, Range>> = {
  loss: [0, 1],
  lossBurst: [1, 1_000_000, 'whole'],
  delayMs: [0, LONGEST_TIMER_MS / 2],
  jitterMs: [0, LONGEST_TIMER_MS / 2],
  reorder: [0, 1],
  reorderGap: [1, 1_000_000, 'whole'],
  reorderWaitMs: [0, LONGEST_TIMER_MS],
  duplicate: [0, 1],
  corrupt: [0, 1],
  corruptBits: [1, 65_536, 'whole'],
  bytesPerSecond: [1, Number.POSITIVE_INFINITY],
  queueBytes: [0, Number.POSITIVE_INFINITY],
};

/**
 * Completes `given` with the defaults and checks every value.
 * @throws TransportError `XMPP_BAD_OPTION`, naming the field, when there is no such fault or its value is out of range.
 */
export function resolveFaultPlan(given: Partial<FaultPlan> = {}): FaultPlan {
  const plan: Record<keyof FaultPlan, number> = { ...NO_FAULTS };
  for (const [name, value] of Object.entries(given) as [keyof FaultPlan, number | undefined][]) {
    if (value === undefined) continue;
    const range = Object.hasOwn(RANGES, name) ? RANGES[name] : undefined;
    if (range === undefined) throw new TransportError('XMPP_BAD_OPTION', `faults.${name}: there is no such fault`);
    const [least, most, whole] = range;
    // Written so that NaN is refused as well.
    if (!(value >= least && value <= most) || (whole !== undefined && !Number.isInteger(value))) {
      const kind = whole === undefined ? 'number' : 'whole number';
      throw new TransportError('XMPP_BAD_OPTION', `faults.${name}: ${value} is not a ${kind} from ${least} to ${most}`);
    }
    plan[name] = value;
  }
  return Object.freeze(plan);
}
