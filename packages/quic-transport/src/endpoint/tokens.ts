import { type Cipher, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { MAX_CONNECTION_ID_BYTES } from './packet-header.ts';

/** What a Retry token is bound to: it opens for no other address and no other connection ID. */
export interface RetryBinding {
  /** Literal address and port of the client. */
  readonly host: string;
  readonly port: number;
  /** The Source Connection ID of the Retry, which is the Destination Connection ID of the Initial that returns it. */
  readonly retrySourceConnectionId: Uint8Array;
}

/** `invalid`: one of ours, but forged, foreign or expired. `foreign`: not a Retry token, which counts as none. */
export type OpenedAddressToken = { readonly originalDestinationConnectionId: Uint8Array } | 'invalid' | 'foreign';

const KEY_BYTES = 32;
/** Of AES. */
const BLOCK_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const TIME_BYTES = 8;

/** First byte of a Retry token; a server must know it from a NEW_TOKEN token (RFC 9000 §8.1.1). */
const RETRY_TOKEN = 0x52;

/** A Retry is answered within a round trip or two; the rest is for loss. */
const LIFETIME_MS = 10_000;

/** Retry tokens (RFC 9000 §8.1.2, §8.1.4): sealed with AES-256-GCM, bound to the client's address, short-lived. */
export class AddressTokens {
  readonly #key: Uint8Array;

  /** @param key 32 random bytes; the same one on every instance that may receive the token. */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) throw new RangeError(`a key of address tokens has ${KEY_BYTES} bytes`);
    this.#key = new Uint8Array(key);
  }

  /** @param nowMs milliseconds since the epoch. */
  seal(originalDestinationConnectionId: Uint8Array, binding: RetryBinding, nowMs: number): Uint8Array {
    const time = Buffer.alloc(TIME_BYTES);
    time.writeBigUInt64BE(BigInt(Math.trunc(nowMs)));
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(bound(binding));
    return Buffer.concat([
      Uint8Array.of(RETRY_TOKEN),
      nonce,
      cipher.update(Buffer.concat([time, originalDestinationConnectionId])),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
  }

  /** Never throws. @param nowMs milliseconds since the epoch. */
  open(token: Uint8Array, binding: RetryBinding, nowMs: number): OpenedAddressToken {
    if (token[0] !== RETRY_TOKEN) return 'foreign';
    const sealedBytes = token.length - 1 - NONCE_BYTES - TAG_BYTES;
    if (sealedBytes < TIME_BYTES || sealedBytes > TIME_BYTES + MAX_CONNECTION_ID_BYTES) return 'invalid';
    const decipher = createDecipheriv('aes-256-gcm', this.#key, token.subarray(1, 1 + NONCE_BYTES));
    decipher.setAAD(bound(binding));
    decipher.setAuthTag(token.subarray(token.length - TAG_BYTES));
    const opened = decipher.update(token.subarray(1 + NONCE_BYTES, token.length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      return 'invalid';
    }
    const ageMs = nowMs - Number(opened.readBigUInt64BE());
    if (ageMs < 0 || ageMs > LIFETIME_MS) return 'invalid';
    return { originalDestinationConnectionId: opened.subarray(TIME_BYTES) };
  }
}

/** Gives every connection ID its stateless reset token. */
export interface ResetTokenSource {
  /** @returns 16 bytes, always the same for one connection ID, which has {@link MAX_CONNECTION_ID_BYTES} at most. */
  of(connectionId: Uint8Array): Uint8Array;
}

/**
 * Stateless reset tokens (RFC 9000 §10.3.2): made of the connection ID and a static key, so that none is stored. The
 * function is CBC-MAC with AES-256 over two blocks, the length and the ID: every connection needs several at its beginning,
 * and an HMAC would take three times as long.
 */
export class ResetTokens implements ResetTokenSource {
  readonly #cipher: Cipher;
  readonly #input: Buffer = Buffer.alloc(2 * BLOCK_BYTES);

  /** @param key 32 random bytes; kept over restarts, or resets after one are not understood. */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) throw new RangeError(`a key of reset tokens has ${KEY_BYTES} bytes`);
    this.#cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  }

  of(connectionId: Uint8Array): Uint8Array {
    const input = this.#input.fill(0);
    input[0] = connectionId.length;
    input.set(connectionId, 1);
    const state = this.#cipher.update(input.subarray(0, BLOCK_BYTES));
    for (let index = 0; index < BLOCK_BYTES; index++) {
      state[index] = (state[index] as number) ^ (input[BLOCK_BYTES + index] as number);
    }
    return this.#cipher.update(state);
  }
}

function bound({ host, port, retrySourceConnectionId }: RetryBinding): Uint8Array {
  return Buffer.concat([Buffer.from(`${host}|${port}|`), retrySourceConnectionId]);
}
