import { createHash, createHmac, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';

/** The arithmetic of SCRAM-SHA-256 (RFC 5802 §3, RFC 7677), which both sides need. */

const derive = promisify(pbkdf2);
const HASH_BYTES = 32;

/** Fewest iterations anybody may ask for (RFC 7677 §4). */
export const FEWEST_ITERATIONS = 4096;

export interface ScramKeys {
  readonly clientKey: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** @throws RangeError when `password` holds what SASLprep prohibits. */
export async function deriveScramKeys(password: string, salt: Uint8Array, iterations: number): Promise<ScramKeys> {
  const prepared = prepareString(password);
  if (prepared === null) throw new RangeError('the password holds characters that SASLprep prohibits');
  const salted = await derive(prepared, salt, iterations, HASH_BYTES, 'sha256');
  const clientKey = hmac(salted, 'Client Key');
  return { clientKey, storedKey: sha256(clientKey), serverKey: hmac(salted, 'Server Key') };
}

export function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** Both have the same length. */
export function xor(left: Uint8Array, right: Uint8Array): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)));
}

/**
 * The part of SASLprep (RFC 4013) that matters for passwords people choose: other spaces become a space, invisible
 * characters vanish, compatibility forms become one.
 * @returns null for an empty result and for control characters.
 */
export function prepareString(text: string): string | null {
  const prepared = text
    .replace(/\p{Zs}/gu, ' ')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .normalize('NFKC');
  return prepared === '' || /[\p{Cc}\p{Cs}\p{Co}\p{Cn}]/u.test(prepared) ? null : prepared;
}
