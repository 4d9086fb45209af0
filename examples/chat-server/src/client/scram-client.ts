import { randomBytes, timingSafeEqual } from 'node:crypto';
import { deriveScramKeys, FEWEST_ITERATIONS, hmac, xor } from '../scram-keys.ts';

/** More iterations than a server may make this client compute. */
const MOST_ITERATIONS = 1_000_000;

const SERVER_FIRST = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=(\d{1,9})(?:,.*)?$/s;

/** What a SCRAM client begins with. */
export interface ScramClientOptions {
  readonly username: string;
  readonly password: string;
  /** Channel binding to use (RFC 5802 §6); null for none. */
  readonly binding: { readonly type: string; readonly data: Uint8Array } | null;
  /** Whether this side could bind; told to the server when `binding` is null, to betray a downgrade. */
  readonly couldBind: boolean;
  /** Printable ASCII without a comma. @defaultValue 144 random bits */
  readonly nonce?: string;
}

/** SCRAM-SHA-256, client side (RFC 5802, RFC 7677). */
export class ScramClient {
  readonly #password: string;
  readonly #header: string;
  readonly #bindingData: Uint8Array;
  readonly #bare: string;
  readonly #nonce: string;
  #expected: Buffer | null = null;

  constructor({ username, password, binding, couldBind, nonce }: ScramClientOptions) {
    this.#password = password;
    this.#header = binding === null ? (couldBind ? 'y,,' : 'n,,') : `p=${binding.type},,`;
    this.#bindingData = binding?.data ?? new Uint8Array();
    this.#nonce = nonce ?? randomBytes(18).toString('base64');
    this.#bare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${this.#nonce}`;
  }

  first(): string {
    return this.#header + this.#bare;
  }

  /** @returns the client's final message, or null when the server's first one cannot be trusted. */
  async final(serverFirst: string): Promise<string | null> {
    const parts = SERVER_FIRST.exec(serverFirst);
    if (parts === null) return null;
    const [, nonce = '', salt = '', count = ''] = parts;
    const iterations = Number(count);
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) return null;
    if (iterations < FEWEST_ITERATIONS || iterations > MOST_ITERATIONS) return null;
    const keys = await deriveScramKeys(this.#password, Buffer.from(salt, 'base64'), iterations);
    const input = Buffer.concat([Buffer.from(this.#header), this.#bindingData]).toString('base64');
    const withoutProof = `c=${input},r=${nonce}`;
    const authMessage = `${this.#bare},${serverFirst},${withoutProof}`;
    this.#expected = hmac(keys.serverKey, authMessage);
    const proof = xor(keys.clientKey, hmac(keys.storedKey, authMessage));
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** Whether the server has proved that it knows the account as well. */
  verify(serverFinal: string): boolean {
    const signature = Buffer.from(/^v=([A-Za-z0-9+/=]+)(?:,.*)?$/s.exec(serverFinal)?.[1] ?? '', 'base64');
    return this.#expected?.length === signature.length && timingSafeEqual(this.#expected, signature);
  }
}
