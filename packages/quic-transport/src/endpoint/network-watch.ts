import { networkInterfaces } from 'node:os';

/** Told the addresses this machine has, whenever they have changed. */
export type AddressListener = (addresses: ReadonlySet<string>) => void;

/** Asking costs some 50 microseconds, and Node.js offers nothing that tells. */
const INTERVAL_MS = 250;

/** Looks whether addresses come and go while anybody wants to know. Does not keep the process alive. */
export class NetworkWatch {
  readonly #list: () => readonly string[];
  readonly #listeners = new Set<AddressListener>();
  #known = '';
  #timer: NodeJS.Timeout | undefined;

  /** @param list the addresses of this machine, for tests. */
  constructor(list: () => readonly string[] = systemAddresses) {
    this.#list = list;
  }

  /** @returns what ends the watch for this listener. */
  watch(listener: AddressListener): () => void {
    if (this.#listeners.size === 0) this.#start();
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) clearInterval(this.#timer);
    };
  }

  /** Looks now, rather than at the next interval. */
  look(): void {
    const addresses = [...this.#list()].sort();
    const seen = addresses.join(' ');
    if (seen === this.#known) return;
    this.#known = seen;
    const present = new Set(addresses);
    for (const listener of [...this.#listeners]) listener(present);
  }

  #start(): void {
    this.#known = [...this.#list()].sort().join(' ');
    this.#timer = setInterval(() => this.look(), INTERVAL_MS);
    this.#timer.unref();
  }
}

function systemAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}
