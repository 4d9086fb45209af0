import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { AddressTokens, ResetTokens } from './tokens.ts';

const NOW = 1_800_000_000_000;
const ORIGINAL = Buffer.from('8394c8f03e515708', 'hex');
const BINDING = { host: '2001:db8::1', port: 40_000, retrySourceConnectionId: Buffer.from('0011223344556677', 'hex') };

describe('Retry tokens', () => {
  const key = randomBytes(32);
  const tokens = new AddressTokens(key);

  test('[QT-02] a token opens for its address and connection ID, on every instance with the key', () => {
    const token = tokens.seal(ORIGINAL, BINDING, NOW);
    const opened = { originalDestinationConnectionId: ORIGINAL };
    expect(tokens.open(token, BINDING, NOW)).toEqual(opened);
    expect(new AddressTokens(key).open(token, BINDING, NOW + 10_000)).toEqual(opened);
  });

  test('[QT-02] connection IDs of 8 to 20 bytes come back', () => {
    for (let bytes = 8; bytes <= 20; bytes++) {
      const id = randomBytes(bytes);
      const opened = tokens.open(tokens.seal(id, BINDING, NOW), BINDING, NOW);
      expect(opened).toEqual({ originalDestinationConnectionId: id });
    }
  });

  test.each([
    ['another address', { ...BINDING, host: '2001:db8::2' }],
    ['another port', { ...BINDING, port: 40_001 }],
    ['another connection ID', { ...BINDING, retrySourceConnectionId: Buffer.from('0011223344556678', 'hex') }],
  ])('[QT-02] refused from %s', (_, binding) => {
    expect(tokens.open(tokens.seal(ORIGINAL, BINDING, NOW), binding, NOW)).toBe('invalid');
  });

  test('[QT-02] refused when expired, when from the future, and under another key', () => {
    const token = tokens.seal(ORIGINAL, BINDING, NOW);
    expect(tokens.open(token, BINDING, NOW + 10_001)).toBe('invalid');
    expect(tokens.open(token, BINDING, NOW - 1)).toBe('invalid');
    expect(new AddressTokens(randomBytes(32)).open(token, BINDING, NOW)).toBe('invalid');
  });

  test('[QT-02] every changed bit and every truncation is refused; other kinds of token are told apart', () => {
    const token = tokens.seal(ORIGINAL, BINDING, NOW);
    for (let bit = 0; bit < token.length * 8; bit++) {
      const forged = Buffer.from(token);
      forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(tokens.open(forged, BINDING, NOW)).toBe(bit < 8 ? 'foreign' : 'invalid');
    }
    for (let length = 0; length < token.length; length++) {
      expect(tokens.open(token.subarray(0, length), BINDING, NOW)).toBe(length === 0 ? 'foreign' : 'invalid');
    }
    expect(tokens.open(Buffer.concat([token, Buffer.alloc(2000)]), BINDING, NOW)).toBe('invalid');
  });

  test('[QT-02] two tokens of one client have nothing in common to link them by', () => {
    const [a, b] = [tokens.seal(ORIGINAL, BINDING, NOW), tokens.seal(ORIGINAL, BINDING, NOW)];
    expect(Buffer.compare(a.subarray(1), b.subarray(1))).not.toBe(0);
  });
});

describe('Reset tokens', () => {
  test('[QT-07] follow from the static key and the connection ID alone', () => {
    const key = randomBytes(32);
    const token = new ResetTokens(key).of(ORIGINAL);
    expect(token).toHaveLength(16);
    expect(new ResetTokens(Buffer.from(key)).of(Buffer.from(ORIGINAL))).toEqual(token);
    expect(new ResetTokens(key).of(randomBytes(8))).not.toEqual(token);
    expect(new ResetTokens(randomBytes(32)).of(ORIGINAL)).not.toEqual(token);
  });

  test('[QT-07] a key of another length is refused', () => {
    expect(() => new ResetTokens(randomBytes(16))).toThrow(RangeError);
    expect(() => new AddressTokens(randomBytes(31))).toThrow(RangeError);
  });
});
