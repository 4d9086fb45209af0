import type { Stanza } from '@stanzaport/core';

/** A stanza somebody waited for in vain. */
export class MissingStanza extends Error {
  override readonly name = 'MissingStanza';
}

/** Prints what happens, with the time since the beginning, and counts what was expected. */
export class Timeline {
  readonly #print: (line: string) => void;
  readonly #startMs: number = performance.now();
  #expected = 0;
  #arrived = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  get expected(): number {
    return this.#expected;
  }

  get arrived(): number {
    return this.#arrived;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  tell(who: string, what: string): void {
    const seconds = (this.elapsedMs / 1000).toFixed(3).padStart(7);
    this.#print(`${seconds} s  ${who.padEnd(8)} ${what}`);
  }

  /** Waits for a stanza that has to come. */
  async expect(who: string, what: string, arrival: Promise<Stanza>): Promise<Stanza> {
    this.#expected += 1;
    const stanza = await arrival.catch((cause: unknown) => {
      this.tell(who, `✘ ${what} did not arrive`);
      throw new MissingStanza(`${who}: ${what} did not arrive`, { cause });
    });
    this.#arrived += 1;
    this.tell(who, `← ${what}`);
    return stanza;
  }
}
