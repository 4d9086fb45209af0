import { createHmac, randomBytes } from 'node:crypto';
import { type EngineTicketKeys, TICKET_KEY_BYTES } from './engine/port.ts';

/** Scopes whose keys are kept, for each secret. */
const SCOPES_KEPT = 256;
/** Length of the name in a key, and of what begins a ticket. */
const NAME_BYTES = 16;

interface OwnSecret {
  readonly secret: Uint8Array;
  readonly bornAtMs: number;
}

/**
 * The secrets a server seals session tickets with (RFC 8446 §4.6.1, §C.4; RFC 5077 §4). They are random and rotate by
 * themselves, the one before still opens; or they are given, and shared by all servers of a fleet.
 *
 * No secret is used itself: each scope (kind, server name, certificate, limits) has keys of its own made from it. So a
 * ticket resumes only what it was given out for, and no ticket tells that it comes from the same server as another.
 */
export class TicketKeys {
  readonly #rotationMs: number;
  /** Keys made before, by secret and scope. */
  #derived = new WeakMap<Uint8Array, Map<string, Buffer>>();
  readonly #seed: Uint8Array | null;
  #shared: readonly Uint8Array[] | null;
  #own: readonly OwnSecret[] = [];

  /**
   * @param shared see {@link replace}; null for ones that rotate. @param seed what those are made of, with the time of day,
   *   by all processes that have it; null for random ones.
   */
  constructor(shared: readonly Uint8Array[] | null, rotationMs: number, seed: Uint8Array | null = null) {
    this.#seed = seed;
    this.#shared = shared === null ? null : copyOf(shared);
    this.#rotationMs = rotationMs;
  }

  /** From now on the first seals, and all open; checked by the caller. */
  replace(secrets: readonly Uint8Array[]): void {
    this.#shared = copyOf(secrets);
  }

  /**
   * The keys for one handshake.
   * @param ticket what the client comes with, null for nothing. @param nowMs of a clock that never goes back.
   */
  select(scope: string, ticket: Uint8Array | null, nowMs: number): EngineTicketKeys {
    const secrets = this.#shared ?? (this.#seed === null ? this.#rotated(nowMs) : this.#grown(this.#seed));
    const sealing = this.#derive(secrets[0] as Uint8Array, scope);
    if (ticket === null || isNamed(ticket, sealing)) return { sealing, opening: sealing };
    const older = secrets.slice(1).map((secret) => this.#derive(secret, scope));
    return { sealing, opening: older.find((key) => isNamed(ticket, key)) ?? sealing };
  }

  #derive(secret: Uint8Array, scope: string): Buffer {
    const byScope = this.#derived.get(secret) ?? new Map<string, Buffer>();
    this.#derived.set(secret, byScope);
    const known = byScope.get(scope);
    if (known !== undefined) return known;
    // Under a wildcard certificate clients name as many scopes as they like.
    if (byScope.size === SCOPES_KEPT) byScope.clear();
    const key = deriveKey(secret, scope);
    byScope.set(scope, key);
    return key;
  }

  /** Of this period and the one before, which begin at the same moment in all processes. */
  #grown(seed: Uint8Array): readonly Uint8Array[] {
    const period = Math.floor(Date.now() / this.#rotationMs);
    return [period, period - 1].map((number) => this.#derive(seed, `period ${number}`));
  }

  #rotated(nowMs: number): readonly Uint8Array[] {
    const [newest] = this.#own;
    if (newest === undefined || nowMs - newest.bornAtMs >= this.#rotationMs) {
      this.#own = [{ secret: randomBytes(TICKET_KEY_BYTES), bornAtMs: nowMs }, ...this.#own.slice(0, 1)];
    }
    // A secret that was not followed by the next one in time has not become younger by that.
    const kept = this.#own.filter(({ bornAtMs }) => nowMs - bornAtMs < 2 * this.#rotationMs);
    return kept.map(({ secret }) => secret);
  }
}

function copyOf(secrets: readonly Uint8Array[]): readonly Uint8Array[] {
  return secrets.map((secret) => Uint8Array.from(secret));
}

function deriveKey(secret: Uint8Array, scope: string): Buffer {
  const part = (number: 1 | 2): Buffer =>
    createHmac('sha256', secret).update(`stanzaport session ticket ${number} ${scope}`).digest();
  return Buffer.concat([part(1), part(2)]).subarray(0, TICKET_KEY_BYTES);
}

function isNamed(ticket: Uint8Array, key: Buffer): boolean {
  return key.subarray(0, NAME_BYTES).equals(ticket.subarray(0, NAME_BYTES));
}
