import { describe, expect, test } from 'vitest';
import {
  type ConnectionIdGenerator,
  checkConnectionIdGenerator,
  createRandomConnectionIds,
  createServerIdConnectionIds,
} from './connection-id-generator.ts';
import { QuicLbConnectionIds } from './quic-lb.ts';

const SERVER_ID = Uint8Array.of(0xca, 0x91, 0x1e);
const KEY = Uint8Array.from({ length: 16 }, (_, index) => 0x11 * index);
const IDS = 10_000;

const quicLb = { configId: 2, serverId: SERVER_ID };

/** Every generator there is, and how many bits of each byte it is known to give away; the other bytes none. */
const GENERATORS: readonly (readonly [name: string, generator: ConnectionIdGenerator, constantBits: number[]])[] = [
  ['random', createRandomConnectionIds(), []],
  ['random, the shortest', createRandomConnectionIds(8), []],
  ['server ID', createServerIdConnectionIds({ serverId: SERVER_ID }), [8, 8, 8]],
  ['QUIC-LB, plaintext', new QuicLbConnectionIds({ ...quicLb, key: null, nonceBytes: 8 }), [3, 8, 8, 8]],
  ['QUIC-LB, four passes', new QuicLbConnectionIds({ ...quicLb, key: KEY, nonceBytes: 4 }), [3]],
  ['QUIC-LB, four passes, the longest', new QuicLbConnectionIds({ ...quicLb, key: KEY, nonceBytes: 16 }), [3]],
  ['QUIC-LB, one pass', new QuicLbConnectionIds({ ...quicLb, key: KEY, nonceBytes: 13 }), [3]],
  [
    'QUIC-LB, length encoded',
    new QuicLbConnectionIds({ ...quicLb, key: KEY, nonceBytes: 13, encodesLength: true }),
    [8],
  ],
];

describe.each(GENERATORS)('%s', (_name, generator, constantBits) => {
  const ids = Array.from({ length: IDS }, () => generator.create());

  test('[QT-20] every ID has the same length and is another one', () => {
    expect(new Set(ids.map(({ length }) => length))).toEqual(new Set([generator.bytes]));
    expect(new Set(ids.map((id) => Buffer.from(id).toString('hex'))).size).toBe(IDS);
  });

  test('[QT-04] no byte gives away more than it has to', () => {
    for (let index = 0; index < generator.bytes; index++) {
      const values = new Set(ids.map((id) => id[index]));
      // Of 256 values at least 254 come among 10,000 random ones, but for odds of less than 1 to 10^30.
      const possible = 2 ** (8 - (constantBits[index] ?? 0));
      expect(values.size, `byte ${index}`).toBeGreaterThanOrEqual(Math.max(1, possible - 2));
      expect(values.size, `byte ${index}`).toBeLessThanOrEqual(possible);
    }
  });

  test('[QT-04] an ID says nothing about the one before', () => {
    const freeBits = 8 * generator.bytes - constantBits.reduce((sum, bits) => sum + bits, 0);
    let different = 0;
    for (const [index, id] of ids.slice(1).entries()) {
      const before = ids[index] as Uint8Array;
      for (const [at, byte] of id.entries()) different += countBits(byte ^ (before[at] as number));
    }
    // Half of the bits, to within more than ten standard deviations.
    expect(different / (freeBits * (IDS - 1))).toBeGreaterThan(0.49);
    expect(different / (freeBits * (IDS - 1))).toBeLessThan(0.51);
  });
});

describe('what cannot be a connection ID', () => {
  for (const [why, create] of [
    ['too short', () => createRandomConnectionIds(7)],
    ['too long', () => createRandomConnectionIds(21)],
    ['no whole number', () => createRandomConnectionIds(12.5)],
    ['no server ID', () => createServerIdConnectionIds({ serverId: new Uint8Array(0) })],
    ['no room for what makes it unique', () => createServerIdConnectionIds({ serverId: new Uint8Array(14) })],
    ['little room for what makes it unique', () => createServerIdConnectionIds({ serverId: SERVER_ID, bytes: 9 })],
    ['the same again', () => checkConnectionIdGenerator({ bytes: 16, create: () => new Uint8Array(16) })],
    ['of another length', () => checkConnectionIdGenerator({ bytes: 16, create: () => new Uint8Array(15) })],
  ] as const) {
    test(`[QT-20] ${why}: refused`, () => {
      expect(create).toThrow(expect.objectContaining({ code: 'XMPP_BAD_OPTION' }));
    });
  }

  test('[QT-20] a server ID of the greatest length still leaves IDs that fit', () => {
    const generator = createServerIdConnectionIds({ serverId: new Uint8Array(13) });
    expect(generator.bytes).toBe(20);
    expect(() => checkConnectionIdGenerator(generator)).not.toThrow();
  });
});

function countBits(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
