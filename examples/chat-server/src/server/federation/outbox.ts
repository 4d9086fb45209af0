import type { StanzaErrorCondition } from '../stanza-reply.ts';

/** A stanza on its way to another server. */
export interface Outgoing {
  /** The whole element, in the namespace of the stream. */
  readonly text: string;
  /** Tells its sender that it has not been sent. */
  readonly bounce: (condition: StanzaErrorCondition) => void;
}

/** Stanzas that one pair of domains may have waiting. */
const MOST_STANZAS = 2_000;
/** And how long they may be together, in bytes of UTF-8. */
const MOST_BYTES = 4_194_304;

/** What waits for an outgoing stream, in order and within bounds. */
export class Outbox {
  readonly #waiting: Outgoing[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** One that does not fit is bounced with `resource-constraint`. */
  put(outgoing: Outgoing): void {
    const bytes = this.#bytes + Buffer.byteLength(outgoing.text);
    if (this.#waiting.length >= MOST_STANZAS || bytes > MOST_BYTES) return outgoing.bounce('resource-constraint');
    this.#waiting.push(outgoing);
    this.#bytes = bytes;
  }

  /** Gives away the oldest. */
  take(): Outgoing | null {
    const outgoing = this.#waiting.shift() ?? null;
    if (outgoing !== null) this.#bytes -= Buffer.byteLength(outgoing.text);
    return outgoing;
  }

  /** Nothing of it will be sent. */
  bounceAll(condition: StanzaErrorCondition): void {
    const all = this.#waiting.splice(0);
    this.#bytes = 0;
    for (const { bounce } of all) bounce(condition);
  }
}
