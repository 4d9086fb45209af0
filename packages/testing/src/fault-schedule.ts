/** What is to be done at a time. */
type Action = (nowMs: number) => void;

interface Entry {
  readonly atMs: number;
  /** Entries of the same time run in the order in which they came. */
  readonly number: number;
  readonly action: Action;
}

/** All that waits for its time in a forwarder, on one Node.js timer: a binary heap, the earliest on top. */
export class FaultSchedule {
  readonly #heap: Entry[] = [];
  #added = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  /** @param atMs on the clock of `performance.now()`, in milliseconds. */
  add(atMs: number, action: Action): void {
    this.#rise({ atMs, number: this.#added++, action });
    if (atMs < this.#timerAtMs) this.#arm(atMs);
  }

  /** Forgets everything and lets go of the timer. */
  clear(): void {
    this.#heap.length = 0;
    clearTimeout(this.#timer);
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  #arm(atMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(this.#run, Math.max(Math.ceil(atMs - performance.now()), 1));
  }

  readonly #run = (): void => {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= nowMs; first = this.#heap[0]) {
      this.#takeFirst();
      first.action(nowMs);
    }
    const next = this.#heap[0];
    if (next !== undefined && next.atMs < this.#timerAtMs) this.#arm(next.atMs);
  };

  #rise(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (isBefore(heap[above] as Entry, entry)) break;
      heap[index] = heap[above] as Entry;
      index = above;
    }
    heap[index] = entry;
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Entry, heap[below] as Entry)) below += 1;
      if (isBefore(last, heap[below] as Entry)) break;
      heap[index] = heap[below] as Entry;
      index = below;
    }
    heap[index] = last;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.number < other.number);
}
