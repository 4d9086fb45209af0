import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FaultDice } from './fault-dice.ts';
import { FaultLine } from './fault-line.ts';
import { type FaultPlan, NO_FAULTS, resolveFaultPlan } from './fault-plan.ts';
import { FaultSchedule } from './fault-schedule.ts';
import { FaultWay } from './fault-way.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** One line under virtual time that carries one-byte datagrams, or longer ones, named by their first byte. */
class Scene {
  readonly way = new FaultWay('to-server');
  readonly schedule = new FaultSchedule();
  readonly line: FaultLine<string>;
  /** What came out: first byte, and the virtual time in milliseconds. */
  readonly out: [number, number][] = [];
  readonly bytes: Uint8Array[] = [];
  readonly discarded: string[] = [];

  constructor(plan: Partial<FaultPlan>, seed = 1) {
    this.way.plan = resolveFaultPlan(plan);
    this.line = new FaultLine(this.way, this.schedule, new FaultDice(seed), {
      send: (datagram) => {
        this.out.push([datagram[0] ?? -1, performance.now()]);
        this.bytes.push(datagram);
      },
      onDiscarded: (datagram, reason) => this.discarded.push(`${datagram[0]} ${reason}`),
    });
  }

  get order(): number[] {
    return this.out.map(([number]) => number);
  }

  push(...numbers: number[]): this {
    for (const number of numbers) this.line.push(Uint8Array.of(number), 'route', performance.now());
    return this;
  }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('time', () => {
  test('[QT-19] without faults a datagram leaves in the call in which it came, as it came', () => {
    const scene = new Scene({});
    const datagram = Uint8Array.of(7, 8, 9);
    scene.line.push(datagram, 'route', performance.now());
    expect(scene.bytes[0]).toBe(datagram);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('[QT-19] a delay is kept to the millisecond', () => {
    const scene = new Scene({ delayMs: 50 });
    scene.push(1);
    vi.advanceTimersByTime(20);
    scene.push(2);
    vi.advanceTimersByTime(29);
    expect(scene.order).toEqual([]);
    expect(scene.way.counters.waiting).toBe(2);
    vi.advanceTimersByTime(1);
    expect(scene.order).toEqual([1]);
    vi.advanceTimersByTime(20);
    expect(scene.out.map(([, atMs]) => atMs - (scene.out[0]?.[1] ?? 0))).toEqual([0, 20]);
    expect(scene.way.counters.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('[QT-19] jitter spreads the times within its bounds and keeps the order', () => {
    const scene = new Scene({ delayMs: 10, jitterMs: 40 });
    const sentAtMs: number[] = [];
    for (const number of numbers(200)) {
      sentAtMs.push(performance.now());
      scene.push(number);
      vi.advanceTimersByTime(100);
    }
    expect(scene.order).toEqual(numbers(200));
    const delays = scene.out.map(([, atMs], index) => atMs - (sentAtMs[index] as number));
    // A timer of Node.js fires at whole milliseconds, up to one late.
    expect(Math.min(...delays)).toBe(11);
    expect(Math.max(...delays)).toBe(50);
    expect(new Set(delays.map(Math.floor)).size).toBeGreaterThan(30);
    const dense = new Scene({ jitterMs: 40 }).push(...numbers(200));
    vi.advanceTimersByTime(100);
    expect(dense.order).toEqual(numbers(200));
  });

  test('[QT-19] who comes after a delay was shortened does not overtake', () => {
    const scene = new Scene({ delayMs: 50 });
    scene.push(1);
    scene.way.plan = NO_FAULTS;
    scene.push(2);
    expect(scene.order).toEqual([]);
    vi.advanceTimersByTime(50);
    scene.push(3);
    expect(scene.order).toEqual([1, 2, 3]);
  });

  test('[QT-19] a bottleneck lets bytes through at its rate and drops what its queue cannot take', () => {
    const scene = new Scene({ bytesPerSecond: 1_000, queueBytes: 200 });
    for (const number of numbers(5)) scene.line.push(new Uint8Array(100).fill(number), 'route', performance.now());
    expect(scene.discarded).toEqual(['2 overflow', '3 overflow', '4 overflow']);
    const startMs = performance.now();
    vi.advanceTimersByTime(1_000);
    expect(scene.out.map(([number, atMs]) => [number, atMs - startMs])).toEqual([
      [0, 100],
      [1, 200],
    ]);
    // Idle time is not saved up.
    for (const number of [5, 6]) scene.line.push(new Uint8Array(100).fill(number), 'route', performance.now());
    vi.advanceTimersByTime(150);
    expect(scene.order).toEqual([0, 1, 5]);
  });
});

describe('dice', () => {
  test('[QT-19] of 20,000 datagrams 2 % are lost, and the very same ones with the same seed', () => {
    const lost = (seed: number, plan: Partial<FaultPlan> = {}): string[] => {
      const scene = new Scene({ loss: 0.02, ...plan }, seed);
      for (const number of numbers(20_000)) {
        scene.line.push(Uint8Array.of(0), String(number), 0);
        if (scene.way.counters.lost > scene.discarded.length) throw new Error('not told');
        if (scene.discarded.at(-1) === '0 lost') scene.discarded[scene.discarded.length - 1] = String(number);
      }
      return scene.discarded;
    };
    expect([7, 8, 9].map((seed) => lost(seed).length)).toEqual([385, 372, 409]);
    expect(lost(7)).toEqual(lost(7));
    expect(lost(7)).not.toEqual(lost(8));
    // Other faults do not touch these dice.
    expect(lost(7, { duplicate: 0.5, corrupt: 0.5, reorder: 0.5, jitterMs: 5 })).toEqual(lost(7));
  });

  test('[QT-19] losses come in bursts of the length asked for; their share of 10 % stays', () => {
    const scene = new Scene({ loss: 0.1, lossBurst: 5 }, 7);
    let run = 0;
    const runs: number[] = [];
    for (const number of numbers(20_000)) {
      const before = scene.way.counters.lost;
      scene.push(number);
      if (scene.way.counters.lost > before) run += 1;
      else if (run > 0) {
        runs.push(run);
        run = 0;
      }
    }
    expect(scene.way.counters.lost).toBe(1_865);
    // Two bursts that touch look like one.
    expect(runs.every((length) => length % 5 === 0)).toBe(true);
  });

  test('[QT-19] all or nothing: shares of 0 and 1 leave nothing to chance', () => {
    const all = new Scene({ loss: 1 }).push(...numbers(1_000));
    expect(all.out).toEqual([]);
    expect(all.way.counters.lost).toBe(1_000);
    expect(new Scene({ duplicate: 1 }).push(1, 2).order).toEqual([1, 1, 2, 2]);
  });

  test('[QT-19] corruption flips as many bits as asked for, in a copy', () => {
    for (const corruptBits of [1, 3, 12]) {
      const scene = new Scene({ corrupt: 1, corruptBits });
      const datagram = new Uint8Array(40).fill(0xaa);
      for (let count = 0; count < 100; count++) scene.line.push(datagram, 'route', 0);
      expect(datagram).toEqual(new Uint8Array(40).fill(0xaa));
      const flipped = scene.bytes.map((bytes) => bytes.reduce((sum, byte) => sum + bitsOf(byte ^ 0xaa), 0));
      expect(new Set(flipped)).toEqual(new Set([corruptBits]));
      expect(new Set(scene.bytes.map(String)).size).toBeGreaterThan(50);
    }
    const empty = new Scene({ corrupt: 1 });
    empty.line.push(new Uint8Array(0), 'route', 0);
    expect(empty.way.counters).toMatchObject({ sent: 1, corrupted: 0 });
  });
});

function bitsOf(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}

describe('reordering', () => {
  test('[QT-19] one that is held back goes when as many as asked for have passed it', () => {
    const scene = new Scene({ reorder: 1, reorderGap: 2 });
    scene.push(1);
    scene.way.plan = NO_FAULTS;
    scene.push(2, 3, 4);
    expect(scene.order).toEqual([2, 3, 1, 4]);
    expect(scene.way.counters).toMatchObject({ reordered: 1, waiting: 0 });
  });

  test('[QT-19] or after its time when too few have come', () => {
    const scene = new Scene({ reorder: 1, reorderWaitMs: 30 });
    scene.push(1);
    scene.way.plan = NO_FAULTS;
    scene.push(2);
    vi.advanceTimersByTime(29);
    expect(scene.order).toEqual([2]);
    vi.advanceTimersByTime(1);
    expect(scene.order).toEqual([2, 1]);
    vi.advanceTimersByTime(1_000);
    expect(scene.order).toEqual([2, 1]);
  });

  test('[QT-19] a share is reordered and nothing is lost by it, also with delay', () => {
    const scene = new Scene({ reorder: 0.1, delayMs: 20, reorderWaitMs: 50 });
    scene.push(...numbers(200));
    vi.advanceTimersByTime(70);
    expect(scene.order).not.toEqual(numbers(200));
    expect(scene.order.toSorted((one, other) => one - other)).toEqual(numbers(200));
    expect(scene.way.counters).toMatchObject({ sent: 200, waiting: 0 });
  });
});

describe('gates', () => {
  test('[QT-05] what is held leaves at the release, in order; nothing is counted as sent before', () => {
    const scene = new Scene({});
    scene.way.hold();
    scene.push(1, 2, 3);
    expect(scene.way.counters).toMatchObject({ sent: 0, waiting: 3 });
    scene.way.release();
    scene.push(4);
    expect(scene.order).toEqual([1, 2, 3, 4]);
    expect(scene.way.counters).toMatchObject({ sent: 4, waiting: 0 });
  });

  test('[QT-05] a path that dies takes with it what was on the way', () => {
    const scene = new Scene({ delayMs: 10 });
    scene.push(1);
    scene.way.isDead = true;
    scene.push(2);
    vi.advanceTimersByTime(10);
    scene.way.isDead = false;
    scene.push(3);
    vi.advanceTimersByTime(10);
    expect(scene.order).toEqual([3]);
    expect(scene.discarded.toSorted()).toEqual(['1 dead', '2 dead']);
  });

  test('[TC-08] what waits has a bound', () => {
    const scene = new Scene({});
    scene.way.hold();
    const megabyte = new Uint8Array(1024 * 1024);
    for (let count = 0; count < 70; count++) scene.line.push(megabyte, 'route', 0);
    expect(scene.way.counters).toMatchObject({ waiting: 64, overflowed: 6 });
  });

  test('[TC-08] clearing lets go of the timer', () => {
    const scene = new Scene({ delayMs: 10, reorder: 0.5 }).push(...numbers(10));
    expect(vi.getTimerCount()).toBe(1);
    scene.schedule.clear();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('plans', () => {
  test('[TC-09] a value that can never work is a config error that names it', () => {
    expect(() => resolveFaultPlan({ loss: 1.5 })).toThrow('faults.loss: 1.5 is not a number from 0 to 1');
    expect(() => resolveFaultPlan({ delayMs: Number.NaN })).toThrow('faults.delayMs');
    expect(() => resolveFaultPlan({ reorderGap: 0.5 })).toThrow('faults.reorderGap: 0.5 is not a whole number');
    const misspelt = { losses: 1 } as Partial<FaultPlan>;
    expect(() => resolveFaultPlan(misspelt)).toThrow('faults.losses: there is no such fault');
    expect(() => resolveFaultPlan({ loss: -1 })).toThrow(expect.objectContaining({ code: 'XMPP_BAD_OPTION' }));
  });

  test('[TC-09] a plan is complete and cannot be changed', () => {
    const plan = resolveFaultPlan({ loss: 0.5 });
    expect(plan).toEqual({ ...NO_FAULTS, loss: 0.5 });
    expect(Object.isFrozen(plan)).toBe(true);
  });
});
