import { createHmac, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TransportError } from '@stanzaport/core';

/** Highest number a worker can have. */
export const MAX_WORKER_NUMBER = 255;

const SECRET_BYTES = 32;
/** Group and others. */
const FOREIGN_ACCESS = 0o077;
/** `sun_path` is 104 bytes on some systems, with a zero at its end. */
const MAX_DOOR_BYTES = 103;

/**
 * The folder that the workers of one port share. Who can enter it is one of them: so it has to be private. In it are
 * their secret and, for each worker that runs, the unix socket by which the others reach it.
 */
export class WorkerFolder {
  readonly #path: string;
  readonly #secret: Uint8Array;

  /** Makes the folder and the secret where there are none. @throws TransportError `XMPP_BAD_OPTION`. */
  constructor(path: string) {
    this.#path = path;
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      checkPrivate(path);
      this.#secret = readOrCreateSecret(path);
    } catch (cause) {
      if (cause instanceof TransportError) throw cause;
      throw badFolder(path, `cannot be used (${(cause as NodeJS.ErrnoException).code})`, cause);
    }
  }

  /** 32 bytes that all workers can make, and nobody else. @param purpose tells one key from another. */
  deriveKey(purpose: string): Uint8Array {
    return createHmac('sha256', this.#secret).update(`stanzaport workers ${purpose}`).digest();
  }

  /** Where worker `number` can be reached. @param port names the port they share. @throws TransportError `XMPP_BAD_OPTION`. */
  doorOf(port: string, number: number): string {
    const path = join(this.#path, `${port}-${number}`);
    if (Buffer.byteLength(path) <= MAX_DOOR_BYTES) return path;
    throw badFolder(this.#path, `is too long for a unix socket by ${Buffer.byteLength(path) - MAX_DOOR_BYTES} bytes`);
  }

  /** The numbers of those whose doors are there, be they alive or not. */
  numbers(port: string): readonly number[] {
    return readdirSync(this.#path)
      .filter((name) => name.startsWith(`${port}-`))
      .map((name) => Number(name.slice(port.length + 1)))
      .filter(isWorkerNumber);
  }
}

/** Whether a worker can have this number. */
export function isWorkerNumber(number: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= MAX_WORKER_NUMBER;
}

function checkPrivate(path: string): void {
  const { mode, uid } = statSync(path);
  const ownUid = process.getuid?.() ?? uid;
  if (uid !== ownUid) throw badFolder(path, 'belongs to another user');
  if ((mode & FOREIGN_ACCESS) !== 0) throw badFolder(path, 'is open to others than its owner; its mode has to be 0700');
}

/** Whoever comes first makes it; it is there as a whole or not at all. */
function readOrCreateSecret(path: string): Uint8Array {
  const file = join(path, 'secret');
  const draft = join(path, `secret.${process.pid}.${randomBytes(8).toString('hex')}`);
  writeFileSync(draft, randomBytes(SECRET_BYTES), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  const secret = readFileSync(file);
  if (secret.length === SECRET_BYTES) return secret;
  throw badFolder(path, `holds a secret of ${secret.length} bytes instead of ${SECRET_BYTES}`);
}

function badFolder(path: string, why: string, cause?: unknown): TransportError {
  return new TransportError('XMPP_BAD_OPTION', `quic.workers: the folder ${path} ${why}`, { cause });
}
