import { type BigIntStats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * Tells when files have been replaced and stand still again.
 *
 * It looks at them now and then instead of having the system notify it: notifications are bound to a directory and an
 * inode, and are lost where a name comes to mean another file: a rename over it (editors), another target of its
 * symbolic link (certbot), or of a link in the middle of its path (`..data` of a Kubernetes secret); network and
 * container file systems often give none at all. A name that is looked up anew each time follows all of these.
 *
 * A file is told of only when two looks found it the same, so that what is still being written is left alone, and a
 * certificate and its key that are written one after the other are mostly seen together.
 */
export class FileWatch {
  readonly #paths: () => Iterable<string>;
  readonly #onSettled: (paths: ReadonlySet<string>) => void;
  readonly #intervalMs: number;
  /** What stood there when it was last read, and at the last look. */
  readonly #read = new Map<string, string>();
  #seen: ReadonlyMap<string, string> = new Map();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  /**
   * @param paths the files to look at; asked before each look.
   * @param onSettled gets the files with something else in them than when they were last {@link note noted}. Must not
   *   throw.
   */
  constructor(paths: () => Iterable<string>, intervalMs: number, onSettled: (paths: ReadonlySet<string>) => void) {
    this.#paths = paths;
    this.#intervalMs = intervalMs;
    this.#onSettled = onSettled;
  }

  /** Call it right before reading a file, so that a change while it is read is not missed. */
  note(path: string): void {
    this.#read.set(path, identityNow(path));
  }

  /** Has a file told of again at the next look, although it may not change. */
  retry(path: string): void {
    this.#read.delete(path);
  }

  start(): void {
    if (this.#closed || this.#timer !== null) return;
    // Nobody's process shall go on because of this.
    this.#timer = setTimeout(() => void this.#look(), this.#intervalMs).unref();
  }

  /** Nothing is told from now on. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const seen = new Map<string, string>();
    for (const path of new Set(this.#paths())) seen.set(path, await identityOf(path));
    if (this.#closed) return;
    const settled = [...seen].filter(
      ([path, identity]) => identity === this.#seen.get(path) && identity !== this.#read.get(path),
    );
    this.#seen = seen;
    for (const path of this.#read.keys()) if (!seen.has(path)) this.#read.delete(path);
    if (settled.length > 0) this.#onSettled(new Set(settled.map(([path]) => path)));
    this.#timer = null;
    this.start();
  }
}

async function identityOf(path: string): Promise<string> {
  try {
    return textOf(await stat(path, { bigint: true }));
  } catch (error) {
    return faultOf(error);
  }
}

function identityNow(path: string): string {
  try {
    return textOf(statSync(path, { bigint: true }));
  } catch (error) {
    return faultOf(error);
  }
}

/** The time of the last status change is of no use to a reader, and cannot be set back by a writer. */
const textOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(' ');

/** A file that is not there, or may not be looked at, is in a state like any other. */
const faultOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown';
