import { createHmac, randomBytes } from 'node:crypto';
import { bareOf, type Jid, parseJid } from '../jid.ts';
import { deriveScramKeys } from '../scram-keys.ts';

/** What a server keeps of a password (RFC 5802 §3): enough to check one, not enough to log in with. */
export interface ScramCredential {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** Where a SASL mechanism gets what it checks a password against. */
export interface CredentialSource {
  credentialOf(jid: Jid): ScramCredential;
}

const ITERATIONS = 10_000;
const SALT_BYTES = 16;

/** The accounts of all virtual hosts, in memory. */
export class AccountStore implements CredentialSource {
  readonly #domains: ReadonlySet<string>;
  readonly #credentials = new Map<string, ScramCredential>();
  readonly #secret = randomBytes(32);

  /** @param domains the virtual hosts, in A-labels. */
  constructor(domains: readonly string[]) {
    this.#domains = new Set(domains);
  }

  get domains(): readonly string[] {
    return [...this.#domains];
  }

  serves(domain: string): boolean {
    return this.#domains.has(domain);
  }

  has(bare: string): boolean {
    return this.#credentials.has(bare);
  }

  /** @throws RangeError when `address` is no account of a host of this server, or the password cannot be one. */
  async add(address: string, password: string): Promise<void> {
    const jid = parseJid(address);
    if (jid === null || jid.local === null || jid.resource !== null || !this.serves(jid.domain)) {
      throw new RangeError(`${address} is no account of ${this.domains.join(', ')}`);
    }
    const salt = randomBytes(SALT_BYTES);
    const { storedKey, serverKey } = await deriveScramKeys(password, salt, ITERATIONS);
    this.#credentials.set(bareOf(jid), { salt, iterations: ITERATIONS, storedKey, serverKey });
  }

  /**
   * What to check a password of `jid` against. An account that does not exist has a credential as well, always the
   * same one and with no password, so that nobody learns by logging in which accounts there are (RFC 5802 §9).
   */
  credentialOf(jid: Jid): ScramCredential {
    const bare = bareOf(jid);
    return this.#credentials.get(bare) ?? this.#madeUp(bare);
  }

  #madeUp(bare: string): ScramCredential {
    const make = (what: string): Buffer => createHmac('sha256', this.#secret).update(`${what} ${bare}`).digest();
    return {
      salt: make('salt').subarray(0, SALT_BYTES),
      iterations: ITERATIONS,
      storedKey: make('stored key'),
      serverKey: make('server key'),
    };
  }
}
