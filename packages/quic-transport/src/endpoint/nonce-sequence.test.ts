import { expect, test } from 'vitest';
import { NonceSequence } from './nonce-sequence.ts';

const numberOf = (nonce: Uint8Array | null): bigint => BigInt(`0x${Buffer.from(nonce ?? []).toString('hex')}`);

test('[QT-20] nonces count up from a random one', () => {
  const nonces = new NonceSequence(8, false);
  const first = numberOf(nonces.next());
  expect(numberOf(nonces.next())).toBe((first + 1n) % 2n ** 64n);
  expect(nonces.left).toBe(2n ** 64n - 2n);
  const others = Array.from({ length: 8 }, () => numberOf(new NonceSequence(8, false).next()));
  expect(new Set(others).size).toBe(8);
});

test('[QT-20] each has its turn once, around the end, and then there is none', () => {
  const nonces = new NonceSequence(1, false);
  const all = Array.from({ length: 256 }, () => numberOf(nonces.next()));
  expect(new Set(all).size).toBe(256);
  expect(nonces.left).toBe(0n);
  expect(nonces.next()).toBeNull();
});
