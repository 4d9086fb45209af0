import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { NonceSequence } from './nonce-sequence.ts';
import { QuicLbConnectionIds, QuicLbDecoder, QuicLbEncoder } from './quic-lb.ts';
import { QuicLbCipher } from './quic-lb-cipher.ts';
import type { QuicLbServerConfig } from './quic-lb-config.ts';

const hex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString('hex'));
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** Of the examples below but the last (draft-ietf-quic-load-balancers-21, appendix B.2). */
const KEY = '8f95f09245765f80256934e50c66207f';

/**
 * draft-ietf-quic-load-balancers-21, appendix B, all but the second row of B.1, in which half a byte is missing; the last
 * one is the example of §5.4.2. The fourth row of B.2 is printed with the codepoint 3, and its connection ID with 0.
 */
const VECTORS = [
  { configId: 0, serverId: 'c4605e', nonce: '4504cc4f', key: null, id: '07c4605e4504cc4f' },
  { configId: 0, serverId: 'ed793a', nonce: 'ee080dbf', key: KEY, id: '0720b1d07b359d3c' },
  {
    configId: 1,
    serverId: 'ed793a51d49b8f5fab65',
    nonce: 'ee080dbf48',
    key: KEY,
    id: '2fcc381bc74cb4fbad2823a3d1f8fed2',
  },
  {
    configId: 2,
    serverId: 'ed793a51d49b8f5f',
    nonce: 'ee080dbf48c0d1e5',
    key: KEY,
    id: '504dd2d05a7b0de9b2b9907afb5ecf8cc3',
  },
  {
    configId: 0,
    serverId: 'ed793a51d49b8f5fab',
    nonce: 'ee080dbf48c0d1e55d',
    key: KEY,
    id: '125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc',
  },
  {
    configId: 0,
    serverId: '31441a',
    nonce: '9c69c275',
    key: 'fdf726a9893ec05c0632d3956680baf0',
    id: '0767947d29be054a',
  },
];

describe('the vectors of the draft', () => {
  test.each(VECTORS)('[QT-20] server ID $serverId with nonce $nonce, key $key', (vector) => {
    const serverId = bytesOf(vector.serverId);
    const nonce = bytesOf(vector.nonce);
    const key = vector.key === null ? null : bytesOf(vector.key);
    const shared = { configId: vector.configId, nonceBytes: nonce.length, key };
    const encoder = new QuicLbEncoder({ ...shared, serverId, encodesLength: true });
    expect(hex(encoder.encode(nonce))).toBe(vector.id);
    const decoder = new QuicLbDecoder([{ ...shared, serverIdBytes: serverId.length }]);
    expect(hex(decoder.serverIdOf(bytesOf(vector.id)))).toBe(vector.serverId);
  });
});

describe('the cipher', () => {
  test('[QT-20] encrypts every length there can be, and decrypts it again', () => {
    for (let length = 4; length <= 19; length++) {
      const cipher = new QuicLbCipher(randomBytes(16), length);
      for (let round = 0; round < 100; round++) {
        const plaintext = randomBytes(length);
        const ciphertext = cipher.encrypt(plaintext);
        expect(ciphertext).toHaveLength(length);
        expect(hex(ciphertext)).not.toBe(hex(plaintext));
        expect(hex(cipher.decrypt(ciphertext))).toBe(hex(plaintext));
      }
    }
  });
});

const CONFIG: QuicLbServerConfig = { configId: 1, serverId: bytesOf('ca91'), nonceBytes: 14, key: bytesOf(KEY) };

const decoderOf = (...configs: readonly QuicLbServerConfig[]): QuicLbDecoder =>
  new QuicLbDecoder(configs.map((config) => ({ ...config, serverIdBytes: config.serverId.length })));

describe('a generator', () => {
  for (let nonceBytes = 5; nonceBytes <= 17; nonceBytes++) {
    for (const key of [bytesOf(KEY), null]) {
      test(`[QT-20] every ID decodes to its server: nonce of ${nonceBytes} bytes, ${key ? 'a key' : 'no key'}`, () => {
        const config = { ...CONFIG, nonceBytes, key };
        const generator = new QuicLbConnectionIds(config);
        const decoder = decoderOf(config);
        for (let count = 0; count < 100; count++) {
          const id = generator.create();
          expect(id).toHaveLength(generator.bytes);
          // As a balancer sees it in a short header: it does not know where it ends.
          expect(hex(decoder.serverIdOf(Buffer.concat([id, randomBytes(30)])))).toBe('ca91');
        }
      });
    }
  }

  test('[QT-20] without length encoding the low bits of the first byte are random', () => {
    const generator = new QuicLbConnectionIds(CONFIG);
    const firsts = new Set(Array.from({ length: 1_000 }, () => generator.create()[0] as number));
    expect(new Set([...firsts].map((first) => first >> 5))).toEqual(new Set([1]));
    expect(firsts.size).toBe(32);
  });

  test('[QT-20] when every nonce has been used, IDs are unroutable rather than used again', () => {
    const generator = new QuicLbConnectionIds(CONFIG, () => new NonceSequence(14, false, 3n));
    expect(generator.noncesLeft).toBe(3n);
    const decoder = decoderOf(CONFIG);
    const routed = Array.from({ length: 3 }, () => hex(decoder.serverIdOf(generator.create())));
    expect(routed).toEqual(['ca91', 'ca91', 'ca91']);
    expect(generator.noncesLeft).toBe(0n);
    const unroutable = Array.from({ length: 100 }, () => generator.create());
    expect(new Set(unroutable.map(hex)).size).toBe(100);
    for (const id of unroutable) {
      expect(id).toHaveLength(17);
      // The codepoint 0b111, and the length without this byte (§3.2).
      expect(id[0]).toBe(0b111_10000);
      expect(decoder.serverIdOf(id)).toBeNull();
    }
  });

  test('[QT-20] after a rotation IDs have the new configuration, and a balancer that has both knows all', () => {
    const next: QuicLbServerConfig = { configId: 4, serverId: bytesOf('0123456789'), nonceBytes: 11, key: null };
    const generator = new QuicLbConnectionIds(CONFIG);
    const before = generator.create();
    generator.rotate(next);
    const after = generator.create();
    expect(after).toHaveLength(before.length);
    const decoder = decoderOf(CONFIG, next);
    expect([before, after].map((id) => hex(decoder.serverIdOf(id)))).toEqual(['ca91', '0123456789']);
    expect(decoderOf(CONFIG).serverIdOf(after)).toBeNull();
  });

  test('[QT-20] a configuration that comes back counts on', () => {
    const generator = new QuicLbConnectionIds(CONFIG, () => new NonceSequence(14, false, 5n));
    generator.create();
    generator.create();
    generator.rotate({ ...CONFIG, key: randomBytes(16) });
    expect(generator.noncesLeft).toBe(5n);
    // Another codepoint, but the key and server ID of the beginning.
    generator.rotate({ ...CONFIG, configId: 2 });
    expect(generator.noncesLeft).toBe(3n);
  });

  test('[QT-20] it knows its own IDs again, of every configuration it had, and nobody else its', () => {
    const [next, other] = [
      { ...CONFIG, configId: 3, key: randomBytes(16) },
      { ...CONFIG, serverId: bytesOf('ca92') },
    ];
    const generator = new QuicLbConnectionIds(CONFIG);
    const before = generator.create();
    generator.rotate(next);
    const ours = [before, generator.create(), new QuicLbConnectionIds(CONFIG).create()];
    expect(ours.map((id) => generator.recognizes(id))).toEqual([true, true, true]);
    const strange = [new QuicLbConnectionIds(other).create(), new Uint8Array(17), ours[0]?.subarray(1) as Uint8Array];
    expect(strange.map((id) => generator.recognizes(id))).toEqual([false, false, false]);
  });

  for (const [why, change] of [
    ['the codepoint of unroutable IDs', { configId: 7 }],
    ['no codepoint', { configId: -1 }],
    ['no server ID', { serverId: new Uint8Array(0) }],
    ['a nonce of three bytes', { nonceBytes: 3 }],
    ['an ID of seven bytes', { nonceBytes: 4 }],
    ['an ID of 21 bytes', { nonceBytes: 18 }],
    ['a key of another length', { key: new Uint8Array(32) }],
  ] as const) {
    test(`[QT-20] ${why}: refused`, () => {
      const config = { ...CONFIG, ...change };
      const generator = new QuicLbConnectionIds(CONFIG);
      const refused = expect.objectContaining({ code: 'XMPP_BAD_OPTION' });
      expect(() => new QuicLbConnectionIds(config)).toThrow(refused);
      expect(() => generator.rotate(config)).toThrow(refused);
      expect(() => decoderOf(config)).toThrow(refused);
    });
  }

  test('[QT-20] a rotation cannot change the length, which short headers do not tell', () => {
    const generator = new QuicLbConnectionIds(CONFIG);
    const rotate = (): void => generator.rotate({ ...CONFIG, nonceBytes: 10 });
    expect(rotate).toThrow(expect.objectContaining({ code: 'XMPP_BAD_OPTION' }));
    expect(generator.create()).toHaveLength(17);
  });
});

describe('a decoder', () => {
  test('[QT-20] what is too short or of no configuration is unroutable', () => {
    const decoder = decoderOf(CONFIG);
    const id = new QuicLbConnectionIds(CONFIG).create();
    for (let length = 0; length < id.length; length++) expect(decoder.serverIdOf(id.subarray(0, length))).toBeNull();
    for (const configId of [0, 2, 3, 4, 5, 6, 7]) {
      expect(decoder.serverIdOf(Uint8Array.from(id).fill(configId << 5, 0, 1))).toBeNull();
    }
  });

  test('[QT-20] does not tell the server without the key', () => {
    const stranger = decoderOf({ ...CONFIG, key: randomBytes(16) });
    const generator = new QuicLbConnectionIds(CONFIG);
    const seen = new Set(Array.from({ length: 100 }, () => hex(stranger.serverIdOf(generator.create()))));
    // With the right key it would be one and the same.
    expect(seen.size).toBeGreaterThan(50);
  });

  test('[QT-20] two configurations of one codepoint: refused', () => {
    expect(() => decoderOf(CONFIG, { ...CONFIG, key: null })).toThrow(
      expect.objectContaining({ code: 'XMPP_BAD_OPTION' }),
    );
  });
});
