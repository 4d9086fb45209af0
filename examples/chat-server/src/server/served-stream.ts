import type { StreamErrorCondition } from '@stanzaport/core';

/** A stream this server has taken, of a client or of another server. */
export interface ServedStream {
  /** Resolves when the stream has ended; never rejects. */
  run(): Promise<void>;
  /** Ends it with a stream error. */
  end(condition: StreamErrorCondition): void;
}
