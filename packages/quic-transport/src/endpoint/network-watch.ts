import { networkInterfaces } from 'node:os';

/** Told which addresses this machine no longer has, whenever its addresses have changed; an empty set where some were added. */
export type AddressListener = (gone: ReadonlySet<string>) => void;

/** Asking costs some 50 microseconds, and Node.js offers nothing that tells. */
const INTERVAL_MS = 250;

/** Looks whether addresses come and go while anybody wants to know. Does not keep the process alive. */
export class NetworkWatch {
  readonly #list: () => readonly string[];
  readonly #listeners = new Set<AddressListener>();
  #known: ReadonlySet<string> = new Set();
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
    const before = this.#known;
    const present = this.#ask();
    if (present === null) return;
    this.#known = present;
    const gone = new Set([...before].filter((address) => !present.has(address)));
    const hasNew = [...present].some((address) => !before.has(address));
    if (gone.size === 0 && !hasNew) return;
    for (const listener of [...this.#listeners]) listener(gone);
  }

  /** Null where the system does not tell, for example for want of file descriptors: then nothing is known to have changed. */
  #ask(): ReadonlySet<string> | null {
    try {
      return new Set(this.#list());
    } catch {
      return null;
    }
  }

  #start(): void {
    this.#known = this.#ask() ?? new Set();
    this.#timer = setInterval(() => this.look(), INTERVAL_MS);
    this.#timer.unref();
  }
}

function systemAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}
