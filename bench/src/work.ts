/** The work every contender does. */
export interface Work {
  /** `one-way`: all stanzas as fast as they go. `echo`: one at a time, each waited for. */
  readonly task: 'one-way' | 'echo';
  readonly stanzas: number;
}

/** What a client reports. */
export interface Measurement {
  readonly seconds: number;
  /** Round trips in milliseconds, in order; empty for `one-way`. */
  readonly roundTripsMs: readonly number[];
}

/** Size of {@link STANZA} in bytes. */
export const STANZA_BYTES = 305;

const HEAD =
  "<message to='romeo@montague.example/orchard' from='juliet@capulet.example/balcony' type='chat' id='b4vhs'><body>";
const TAIL = '</body></message>';

/** A chat message of {@link STANZA_BYTES} bytes. */
export const STANZA: string = HEAD + 'x'.repeat(STANZA_BYTES - HEAD.length - TAIL.length) + TAIL;

/** The domain whose certificate the servers present. */
export const DOMAIN = 'capulet.example';
