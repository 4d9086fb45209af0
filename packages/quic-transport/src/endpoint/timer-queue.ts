/** Something with a deadline. The queue reads {@link deadlineAtMs} when it looks, so it may move at any time. */
export interface Deadlined {
  /** On the clock of `performance.now()`, in milliseconds; `Infinity` for none. */
  readonly deadlineAtMs: number;
  onDeadline(nowMs: number): void;
}

interface Entry {
  readonly item: Deadlined;
  /** Not after the item's deadline; often before it. */
  atMs: number;
  /** Where in the heap it is. */
  index: number;
}

/** Longest delay a Node.js timer can hold. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The deadlines of all connections on one Node.js timer: a binary heap with one entry an item.
 *
 * Deadlines of QUIC connections move with every packet, nearly always to a later time. So a later deadline touches
 * nothing: the entry comes up early, is seen to be early, and sinks to its new place. Only an earlier one moves it.
 */
export class TimerQueue {
  readonly #heap: Entry[] = [];
  readonly #entries = new Map<Deadlined, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  readonly #onFault: (thrown: unknown) => void;

  /** @param onFault an item threw, which none should; the others have theirs. */
  constructor(onFault: (thrown: unknown) => void) {
    this.#onFault = onFault;
  }

  /** Items that have a deadline. */
  get size(): number {
    return this.#heap.length;
  }

  /** Call after `item.deadlineAtMs` may have changed. */
  update(item: Deadlined): void {
    const atMs = item.deadlineAtMs;
    const entry = this.#entries.get(item);
    if (entry === undefined) {
      if (atMs === Number.POSITIVE_INFINITY) return;
      const fresh = { item, atMs, index: this.#heap.length };
      this.#entries.set(item, fresh);
      this.#heap.push(fresh);
      this.#rise(fresh);
    } else if (atMs < entry.atMs) {
      entry.atMs = atMs;
      this.#rise(entry);
    } else {
      return;
    }
    if (atMs < this.#timerAtMs) this.#arm(atMs);
  }

  /** Forgets `item`. */
  remove(item: Deadlined): void {
    const entry = this.#entries.get(item);
    if (entry === undefined) return;
    this.#entries.delete(item);
    const last = this.#heap.pop() as Entry;
    if (last !== entry) {
      this.#put(last, entry.index);
      this.#rise(last);
      this.#sink(last);
    }
    if (this.#heap.length > 0) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  #arm(atMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    const delayMs = Math.min(Math.max(Math.ceil(atMs - performance.now()), 1), LONGEST_TIMER_MS);
    this.#timer = setTimeout(this.#run, delayMs);
  }

  readonly #run = (): void => {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    for (let entry = this.#heap[0]; entry !== undefined && entry.atMs <= nowMs; entry = this.#heap[0]) {
      const { item } = entry;
      if (item.deadlineAtMs <= nowMs) this.#fire(item, nowMs);
      // The item may have removed itself meanwhile.
      if (this.#entries.get(item) !== entry) continue;
      if (item.deadlineAtMs === Number.POSITIVE_INFINITY) {
        this.remove(item);
      } else {
        // A deadline that has not moved comes up again in the next run, not in this loop.
        entry.atMs = Math.max(item.deadlineAtMs, nowMs + 1);
        this.#sink(entry);
      }
    }
    const next = this.#heap[0];
    if (next !== undefined && next.atMs < this.#timerAtMs) this.#arm(next.atMs);
  };

  #fire(item: Deadlined, nowMs: number): void {
    try {
      item.onDeadline(nowMs);
    } catch (thrown) {
      this.#onFault(thrown);
    }
  }

  #put(entry: Entry, index: number): void {
    this.#heap[index] = entry;
    entry.index = index;
  }

  #rise(entry: Entry): void {
    let { index } = entry;
    while (index > 0) {
      const above = this.#heap[(index - 1) >> 1] as Entry;
      if (above.atMs <= entry.atMs) break;
      this.#put(above, index);
      index = (index - 1) >> 1;
    }
    this.#put(entry, index);
  }

  #sink(entry: Entry): void {
    let { index } = entry;
    for (;;) {
      const left = this.#heap[2 * index + 1];
      if (left === undefined) break;
      const right = this.#heap[2 * index + 2];
      const below = right !== undefined && right.atMs < left.atMs ? right : left;
      if (below.atMs >= entry.atMs) break;
      const freed = below.index;
      this.#put(below, index);
      index = freed;
    }
    this.#put(entry, index);
  }
}
