import { createCipheriv, createDecipheriv } from 'node:crypto';

const AES_BLOCK_BYTES = 16;

/** Transforms one block of AES-128-ECB. */
type BlockFunction = (block: Uint8Array) => Uint8Array;

/**
 * The permutation QUIC-LB hides server ID and nonce with (draft-ietf-quic-load-balancers-21 §5.4): one pass of
 * AES-128-ECB over 16 bytes, and a Feistel network of four passes over any other length.
 */
export class QuicLbCipher {
  readonly #bytes: number;
  readonly #encryptBlock: BlockFunction;
  readonly #decryptBlock: BlockFunction;

  /** @param key 16 bytes. @param bytes length of what is encrypted, 4 to 19. */
  constructor(key: Uint8Array, bytes: number) {
    this.#bytes = bytes;
    // ECB keeps nothing from one block to the next, so that one object serves for good.
    const encipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    const decipher = createDecipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    this.#encryptBlock = (block) => encipher.update(block);
    this.#decryptBlock = (block) => decipher.update(block);
  }

  encrypt(plaintext: Uint8Array): Uint8Array {
    if (this.#bytes === AES_BLOCK_BYTES) return this.#encryptBlock(plaintext);
    const [left, right] = this.#split(plaintext);
    this.#mix(right, left, 1, 'right');
    this.#mix(left, right, 2, 'left');
    this.#mix(right, left, 3, 'right');
    this.#mix(left, right, 4, 'left');
    return this.#join(left, right);
  }

  decrypt(ciphertext: Uint8Array): Uint8Array {
    if (this.#bytes === AES_BLOCK_BYTES) return this.#decryptBlock(ciphertext);
    const [left, right] = this.#split(ciphertext);
    this.#mix(left, right, 4, 'left');
    this.#mix(right, left, 3, 'right');
    this.#mix(left, right, 2, 'left');
    this.#mix(right, left, 1, 'right');
    return this.#join(left, right);
  }

  get #isOdd(): boolean {
    return this.#bytes % 2 === 1;
  }

  /** Equal halves; of an odd number of bytes both hold the one in the middle, each with its own four bits of it. */
  #split(text: Uint8Array): readonly [left: Uint8Array, right: Uint8Array] {
    const half = Math.ceil(this.#bytes / 2);
    const left = Uint8Array.from(text.subarray(0, half));
    const right = Uint8Array.from(text.subarray(this.#bytes - half, this.#bytes));
    this.#clear(left, 'left');
    this.#clear(right, 'right');
    return [left, right];
  }

  #join(left: Uint8Array, right: Uint8Array): Uint8Array {
    const text = new Uint8Array(this.#bytes);
    const start = this.#bytes - right.length;
    text.set(right, start);
    // The middle byte of an odd number is in both.
    const middle = text[start] as number;
    text.set(left);
    if (this.#isOdd) text[start] = (text[start] as number) | middle;
    return text;
  }

  /** One pass: `target` becomes itself XOR the encrypted `source` (§5.4.2, `expand` and `truncate`). */
  #mix(target: Uint8Array, source: Uint8Array, pass: number, side: 'left' | 'right'): void {
    const block = new Uint8Array(AES_BLOCK_BYTES);
    block.set(source);
    block[14] = this.#bytes;
    block[15] = pass;
    const mask = this.#encryptBlock(block);
    for (let index = 0; index < target.length; index++) {
      target[index] = (target[index] as number) ^ (mask[index] as number);
    }
    this.#clear(target, side);
  }

  #clear(half: Uint8Array, side: 'left' | 'right'): void {
    if (!this.#isOdd) return;
    const index = side === 'left' ? half.length - 1 : 0;
    half[index] = (half[index] as number) & (side === 'left' ? 0xf0 : 0x0f);
  }
}
