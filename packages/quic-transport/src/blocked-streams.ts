import { DEFAULT_URGENCY } from '@stanzaport/core';

/** What is asked of a stream that waits. */
export interface BlockedStream {
  /** 0 comes first (RFC 9218 §4.1). */
  readonly urgency: number;
  readonly isBlocked: boolean;
  /** The engine may take more now. @returns whether it took anything. */
  onWritable(): boolean;
}

/**
 * Streams of one connection that wait until the engine takes more. The congestion window belongs to all of them, and the
 * first one asked can take all that is free of it: so the more urgent are asked first, and of equals the one that got
 * something last is asked last.
 */
export class BlockedStreams {
  /** None as long as nothing ever had to wait, as on most connections. */
  #streams: Set<BlockedStream> | null = null;
  /** Whether any stream ever asked for another urgency than the usual one. */
  #isOrdered = false;

  get size(): number {
    return this.#streams?.size ?? 0;
  }

  add(stream: BlockedStream): void {
    this.#streams ??= new Set();
    this.#streams.add(stream);
  }

  delete(stream: BlockedStream): void {
    this.#streams?.delete(stream);
  }

  clear(): void {
    this.#streams?.clear();
  }

  /** A stream of the connection has this urgency from now on. */
  onUrgency(urgency: number): void {
    if (urgency !== DEFAULT_URGENCY) this.#isOrdered = true;
  }

  /** Whether one waits that is more urgent than `stream`, which then waits with it. */
  comesAfter(stream: BlockedStream): boolean {
    if (!this.#isOrdered || this.#streams === null) return false;
    for (const other of this.#streams) {
      if (other.urgency < stream.urgency) return true;
    }
    return false;
  }

  /** Lets them go on as far as the engine takes more. */
  resume(): void {
    const waiting = this.#streams;
    if (waiting === null) return;
    const streams = [...waiting];
    if (this.#isOrdered) streams.sort((one, other) => one.urgency - other.urgency);
    for (const stream of streams) {
      const hasMoved = stream.onWritable();
      if (!stream.isBlocked) {
        waiting.delete(stream);
      } else if (hasMoved) {
        waiting.delete(stream);
        waiting.add(stream);
      }
    }
  }
}
