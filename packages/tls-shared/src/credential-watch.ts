import { TransportError } from '@stanzaport/core';

/** How files of credentials are watched. */
export interface CredentialWatchOptions {
  /**
   * Time between two looks at the files, in milliseconds. A change takes effect after two looks that find the same.
   * @defaultValue 5_000
   */
  readonly intervalMs: number;
}

export const DEFAULT_CREDENTIAL_WATCH: CredentialWatchOptions = Object.freeze({ intervalMs: 5_000 });

/** Longer ones overflow the timers of Node.js. */
const MAX_INTERVAL_MS = 2 ** 31 - 1;

/**
 * @returns null for no watching.
 * @throws TransportError `XMPP_BAD_OPTION`.
 */
export function resolveWatch(given: boolean | CredentialWatchOptions): CredentialWatchOptions | null {
  if (given === false) return null;
  const { intervalMs } = given === true ? DEFAULT_CREDENTIAL_WATCH : given;
  if (Number.isInteger(intervalMs) && intervalMs >= 1 && intervalMs <= MAX_INTERVAL_MS) return { intervalMs };
  throw new TransportError('XMPP_BAD_OPTION', `watch.intervalMs: ${intervalMs} is no number of milliseconds`);
}
