import { randomBytes } from 'node:crypto';
import { QuicLbCipher } from './quic-lb-cipher.ts';

/**
 * Nonces of one QUIC-LB configuration, none of them twice: counted up from a random one, around the end, until each has
 * had its turn (draft-ietf-quic-load-balancers-21 §9.6).
 */
export class NonceSequence {
  readonly #bytes: number;
  readonly #values: bigint;
  readonly #scramble: QuicLbCipher | null;
  #next: bigint;
  #left: bigint;

  /**
   * @param bytes length of a nonce, 4 to 18. @param inTheClear the nonces will be seen, so that no relation between them
   *   may show (§5.4): the count is encrypted with a key nobody has. @param left how many may be used, for a test.
   */
  constructor(bytes: number, inTheClear: boolean, left?: bigint) {
    this.#bytes = bytes;
    this.#values = 2n ** BigInt(8 * bytes);
    this.#scramble = inTheClear ? new QuicLbCipher(randomBytes(16), bytes) : null;
    this.#next = BigInt(`0x${randomBytes(bytes).toString('hex')}`);
    this.#left = left ?? this.#values;
  }

  /** How many have not been used. */
  get left(): bigint {
    return this.#left;
  }

  /** @returns null when all have been used. */
  next(): Uint8Array | null {
    if (this.#left === 0n) return null;
    this.#left -= 1n;
    const count = Buffer.from(this.#next.toString(16).padStart(2 * this.#bytes, '0'), 'hex');
    this.#next = (this.#next + 1n) % this.#values;
    return this.#scramble?.encrypt(count) ?? count;
  }
}
