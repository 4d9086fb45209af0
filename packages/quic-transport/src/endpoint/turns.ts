import { handOverOutput } from '@stanzaport/core';

/** Something with work to do once per turn of the event loop. */
export interface TurnTaker {
  /** Takes in what has come: reads streams, runs handlers. */
  pollInput(nowMs: number): void;
  /** Lets out what is to go: resumes writers, transmits, sets the deadline. */
  pollOutput(nowMs: number): void;
}

/**
 * One pump for all connections: whatever happens marks a connection, and once per turn of the event loop each marked
 * one is polled. Batching a whole burst of datagrams this way is what makes the difference in speed: one read, one
 * acknowledgement and one write for many packets.
 *
 * Input and output are two steps, so that what handlers send during the first leaves in the same turn, along with the
 * acknowledgement of what it answers. Between the two, stanza streams hand over the texts they have gathered. If there are none
 * yet, handlers that await something go on first, as far as they get without leaving the turn.
 */
export class Turns {
  #marked = new Set<TurnTaker>();
  /** Marked for the turn after this one. */
  #next = new Set<TurnTaker>();
  #state: 'idle' | 'scheduled' | 'input' = 'idle';
  readonly #onFault: (thrown: unknown) => void;

  /** @param onFault a taker threw, which none should; the others of the turn have theirs. */
  constructor(onFault: (thrown: unknown) => void) {
    this.#onFault = onFault;
  }

  /** Whatever `taker` has to do is done in this turn or the next. */
  mark(taker: TurnTaker): void {
    this.#marked.add(taker);
    if (this.#state !== 'idle') return;
    this.#state = 'scheduled';
    setImmediate(this.#pollInput);
  }

  /** As {@link mark}, for one that wants to take something in: its step for that may be over in this turn. */
  markForInput(taker: TurnTaker): void {
    if (this.#state === 'input') this.#next.add(taker);
    else this.mark(taker);
  }

  readonly #pollInput = (): void => {
    this.#state = 'input';
    const nowMs = performance.now();
    // Those marked by handlers on the way are visited too: a Set iterates over what is added meanwhile.
    for (const taker of this.#marked) {
      try {
        taker.pollInput(nowMs);
      } catch (thrown) {
        this.#onFault(thrown);
      }
    }
    // Answers that are there already do not wait for others.
    if (this.#handOver()) this.#pollOutput();
    // A tick that is asked for in a microtask comes when there is no microtask left, however many of them awaited another.
    else queueMicrotask(this.#afterMicrotasks);
  };

  readonly #afterMicrotasks = (): void => process.nextTick(this.#pollLateOutput);

  readonly #pollLateOutput = (): void => {
    this.#handOver();
    this.#pollOutput();
  };

  #pollOutput(): void {
    const taken = this.#marked;
    this.#marked = this.#next;
    this.#next = new Set();
    this.#state = this.#marked.size === 0 ? 'idle' : 'scheduled';
    if (this.#state === 'scheduled') setImmediate(this.#pollInput);
    const nowMs = performance.now();
    for (const taker of taken) {
      try {
        taker.pollOutput(nowMs);
      } catch (thrown) {
        this.#onFault(thrown);
      }
    }
  }

  #handOver(): boolean {
    try {
      return handOverOutput();
    } catch (thrown) {
      this.#onFault(thrown);
      return true;
    }
  }
}
