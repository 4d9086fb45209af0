import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hasAcceptableKey } from './signature.ts';

const RSA = Buffer.from('300d06092a864886f70d0101010500', 'hex');
const P256 = Buffer.from('301306072a8648ce3d020106082a8648ce3d030107', 'hex');

/** Not a key that anybody has: only its size counts here. */
function rsaKey(bits: number, exponent: string): KeyObject {
  const modulus = randomBytes(bits / 8);
  modulus[0] = 0x80;
  modulus[modulus.length - 1] = 1;
  return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: modulus.toString('base64url'), e: exponent } });
}

const F4 = 'AQAB';

describe('public keys', () => {
  test.each([
    [1024, F4, false],
    [2040, F4, false],
    [2048, F4, true],
    [8192, F4, true],
    [8200, F4, false],
    [16_384, F4, false],
    [2048, Buffer.alloc(128, 0xff).toString('base64url'), false],
  ])('[CERT-12] RSA of %i bits with exponent %s: %s', (bits, exponent, expected) => {
    expect(hasAcceptableKey({ keyAlgorithm: RSA, publicKey: rsaKey(bits, exponent) })).toBe(expected);
  });

  test('[CERT-12] the algorithm is the one that is written, with all its parameters', () => {
    const publicKey = rsaKey(2048, F4);
    expect(hasAcceptableKey({ keyAlgorithm: P256, publicKey })).toBe(true);
    expect(hasAcceptableKey({ keyAlgorithm: P256.subarray(0, -1), publicKey })).toBe(false);
    expect(hasAcceptableKey({ keyAlgorithm: new Uint8Array(), publicKey })).toBe(false);
  });
});
