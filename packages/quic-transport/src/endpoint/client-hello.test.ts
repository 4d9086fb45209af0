import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { forgeInitial, frame } from '../../test/engine/packet-forge.ts';
import { QuicheEngine } from '../engine/quiche.ts';
import { ClientHelloPeek, type PeekOutcome } from './client-hello.ts';
import { type ClientHello, parseClientHello } from './client-hello-parser.ts';

const DCID = Buffer.from('8394c8f03e515708', 'hex');

const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
const vector8 = (...parts: Uint8Array[]): Buffer => Buffer.concat([Buffer.of(Buffer.concat(parts).length), ...parts]);
const vector16 = (...parts: Uint8Array[]): Buffer => Buffer.concat([u16(Buffer.concat(parts).length), ...parts]);
const extension = (type: number, ...data: Uint8Array[]): Buffer => Buffer.concat([u16(type), vector16(...data)]);
const serverName = (name: string): Buffer =>
  extension(0, vector16(Buffer.of(0), vector16(Buffer.from(name, 'latin1'))));
const alpn = (...names: string[]): Buffer =>
  extension(16, vector16(...names.map((name) => vector8(Buffer.from(name)))));

function hello(...extensions: Uint8Array[]): Buffer {
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector8(Buffer.alloc(32, 9)),
    vector16(u16(0x1301), u16(0x1302)),
    vector8(Buffer.of(0)),
    vector16(...extensions),
  ]);
  return Buffer.concat([Buffer.of(1, body.length >> 16, (body.length >> 8) & 0xff, body.length & 0xff), body]);
}

const PLAIN = hello(serverName('Capulet.Example'), extension(43, Buffer.from('020304', 'hex')), alpn('xmpp-client'));
const SEEN: ClientHello = {
  serverName: 'capulet.example',
  alpn: ['xmpp-client'],
  hasEch: false,
  hasEarlyData: false,
  ticket: null,
};
/** As large as one with post-quantum key shares: fits no single datagram. */
const LARGE = hello(extension(51, Buffer.alloc(1700, 5)), serverName('capulet.example'), alpn('xmpp-client'));

const initial = (...frames: Uint8Array[]): Uint8Array => forgeInitial({ destinationConnectionId: DCID, frames });
const feed = (...datagrams: Uint8Array[]): PeekOutcome => {
  const peek = new ClientHelloPeek(DCID);
  return datagrams.map((datagram) => peek.feed(datagram)).at(-1) as PeekOutcome;
};
const peekAt = (bytes: Uint8Array): PeekOutcome => feed(initial(frame.crypto(0, bytes)));

describe('What a ClientHello tells', () => {
  test('[Q-08] server name, in lower case, and ALPN; the datagram stays as it was', () => {
    const datagram = initial(frame.crypto(0, PLAIN));
    const before = Buffer.from(datagram);
    expect(feed(datagram)).toEqual(SEEN);
    expect(datagram).toEqual(before);
  });

  test('[Q-08] no server name is null, [Q-10] no ALPN is empty', () => {
    expect(peekAt(hello())).toEqual({
      serverName: null,
      alpn: [],
      hasEch: false,
      hasEarlyData: false,
      ticket: null,
    });
  });

  test('[Q-10] every protocol offered, in order', () => {
    expect(peekAt(hello(alpn('h3', 'xmpp-server', 'xmpp-client')))).toMatchObject({
      alpn: ['h3', 'xmpp-server', 'xmpp-client'],
    });
  });

  test('[QT-16] early data, [Q-09] Encrypted ClientHello', () => {
    expect(peekAt(hello(extension(42), extension(0xfe0d, Buffer.alloc(200))))).toMatchObject({
      hasEarlyData: true,
      hasEch: true,
    });
  });

  test('[QT-16] the first session ticket', () => {
    const identity = (ticket: string): Buffer =>
      Buffer.concat([vector16(Buffer.from(ticket)), Buffer.from([1, 2, 3, 4])]);
    const identities = vector16(identity('first'), identity('second'));
    const binders = vector16(vector8(Buffer.alloc(32)));
    const ticket = Uint8Array.from(Buffer.from('first'));
    expect(peekAt(hello(extension(41, identities, binders)))).toMatchObject({ ticket });
    expect(peekAt(hello(extension(41, vector16(Buffer.of(0)))))).toMatchObject({ ticket: null });
  });

  test('[Q-08] the hello of the engine itself', () => {
    const engine = new QuicheEngine();
    const local = { host: '127.0.0.1', port: 1 };
    const config = engine.createConfig({
      role: 'client',
      alpn: ['xmpp-server'],
      credential: null,
      requestPeerCertificate: false,
      idleTimeoutMs: 1000,
      maxDatagramBytes: 1350,
      streamWindowBytes: 65_536,
      maxStreamWindowBytes: 65_536,
      maxPeerStreams: 0,
      activeConnectionIdLimit: 2,
    });
    const path = { local, remote: local };
    const sourceConnectionId = randomBytes(8);
    const client = engine.connect(config, { serverName: 'montague.example', sourceConnectionId, path });
    const datagram = Buffer.alloc(1350);
    const bytes = client.transmit(datagram);
    const dcid = datagram.subarray(6, 6 + (datagram[5] as number));
    expect(new ClientHelloPeek(dcid).feed(datagram.subarray(0, bytes))).toEqual({
      serverName: 'montague.example',
      alpn: ['xmpp-server'],
      hasEch: false,
      hasEarlyData: false,
      ticket: null,
    });
  });

  test.each([
    ['xn--bcher-kva.example'],
    ['a'],
    ['_xmpp.a-b.example'],
    [`${'a'.repeat(63)}.example`],
    ['1.2.3.example'],
  ])('[Q-08] host name taken: %s', (name) => {
    expect(peekAt(hello(serverName(name)))).toMatchObject({ serverName: name });
  });

  test.each([
    [''],
    ['capulet.example.'],
    ['a..b'],
    ['-a.example'],
    ['192.0.2.1'],
    ['2001:db8::1'],
    ['[::1]'],
    ['a b'],
    ['a\0b.example'],
    ['a/../b'],
    ['b\u00fccher.example'],
    [`${'a'.repeat(64)}.example`],
    [`${'a.'.repeat(130)}example`],
  ])('[Q-08] not a host name: %j', (name) => {
    expect(peekAt(hello(serverName(name)))).toBe('invalid');
  });

  test.each([
    ['an extension twice', hello(alpn('h3'), alpn('xmpp-client'))],
    ['an empty protocol name', hello(alpn('h3', ''))],
    ['an empty ALPN list', hello(alpn())],
    ['ALPN with bytes after its list', hello(extension(16, vector16(vector8(Buffer.from('h3'))), Buffer.of(0)))],
    [
      'two server names',
      hello(extension(0, vector16(...['a', 'b'].flatMap((name) => [Buffer.of(0), vector16(Buffer.from(name))])))),
    ],
    ['a server name of another type', hello(extension(0, vector16(Buffer.of(1), vector16(Buffer.from('a')))))],
    ['bytes after the extensions', withLengthOf(Buffer.concat([PLAIN, Buffer.of(0)]))],
    ['extensions beyond the end', withLengthOf(PLAIN.subarray(0, -1))],
    ['a ServerHello', Buffer.concat([Buffer.of(2), PLAIN.subarray(1)])],
    ['a length above the limit', Buffer.concat([Buffer.of(1, 0, 0x40, 0), PLAIN.subarray(4)])],
  ])('[Q-08] malformed: %s', (_, bytes) => {
    expect(peekAt(bytes)).toBe('invalid');
  });
});

/** Corrects the length in the handshake header. */
function withLengthOf(bytes: Uint8Array): Uint8Array {
  const changed = Buffer.from(bytes);
  changed.writeUInt16BE(bytes.length - 4, 2);
  return changed;
}

describe('How a ClientHello arrives', () => {
  const [first, second] = [LARGE.subarray(0, 1000), LARGE.subarray(1000)];

  test('[Q-08] over two datagrams, in either order, one of them twice', () => {
    const a = initial(frame.crypto(0, first));
    const b = initial(frame.crypto(1000, second));
    expect(feed(a)).toBe('more');
    for (const order of [
      [a, b],
      [b, a],
      [a, a, b],
      [b, b, a],
    ])
      expect(feed(...order)).toEqual(SEEN);
  });

  test('[Q-08] scattered over shuffled frames between PING, PADDING and ACK', () => {
    const pieces = Array.from({ length: Math.ceil(LARGE.length / 100) }, (_, index) =>
      frame.crypto(index * 100, LARGE.subarray(index * 100, index * 100 + 100)),
    ).sort((a, b) => (a[10] as number) - (b[10] as number));
    const half = pieces.length >> 1;
    const noise = [frame.ping(), frame.padding(3), frame.ack(7, 2)];
    expect(feed(initial(...noise, ...pieces.slice(half)), initial(...pieces.slice(0, half), ...noise))).toEqual(SEEN);
  });

  test('[Q-08] overlapping frames that agree are joined; [Q-10] two versions of one byte are refused', () => {
    const overlapping = [frame.crypto(0, PLAIN.subarray(0, 60)), frame.crypto(30, PLAIN.subarray(30))];
    expect(feed(initial(...overlapping))).toEqual(SEEN);
    const other = hello(serverName('montague.example'), alpn('xmpp-client'));
    expect(feed(initial(frame.crypto(0, PLAIN.subarray(0, 100)), frame.crypto(50, other.subarray(50))))).toBe(
      'invalid',
    );
  });

  test('[Q-08] coalesced behind a 0-RTT packet, and over two packets of one datagram', () => {
    const zeroRtt = Buffer.concat([
      Buffer.from('d00000000108', 'hex'),
      DCID,
      Buffer.from('0004', 'hex'),
      Buffer.alloc(4),
    ]);
    expect(feed(Buffer.concat([zeroRtt, initial(frame.crypto(0, PLAIN))]))).toEqual(SEEN);
    const small = (offset: number, bytes: Uint8Array) =>
      forgeInitial({ destinationConnectionId: DCID, frames: [frame.crypto(offset, bytes)], packetBytes: 0 });
    const datagram = Buffer.concat([small(50, PLAIN.subarray(50)), small(0, PLAIN.subarray(0, 50))]);
    expect(feed(datagram)).toEqual(SEEN);
    expect(feed(Buffer.concat([datagram, Buffer.alloc(600)]))).toEqual(SEEN);
  });

  test('[QT-02] after a Retry the keys come from the new connection ID, and the token is passed over', () => {
    const retried = randomBytes(16);
    const frames = [frame.crypto(0, PLAIN)];
    const datagram = forgeInitial({ destinationConnectionId: retried, token: randomBytes(60), frames });
    expect(new ClientHelloPeek(retried).feed(datagram)).toEqual(SEEN);
  });

  test('[QT-01] a first datagram that is not authentic ends it: nothing is kept for its sender', () => {
    const forged = Buffer.from(initial(frame.crypto(0, PLAIN)));
    forged[600] = (forged[600] as number) ^ 1;
    expect(feed(forged)).toBe('invalid');
    expect(feed(randomBytes(1200))).toBe('invalid');
    expect(feed(forgeInitial({ destinationConnectionId: randomBytes(8), frames: [frame.crypto(0, PLAIN)] }))).toBe(
      'invalid',
    );
  });

  test('[QT-01] a forged datagram in between is passed over', () => {
    const a = initial(frame.crypto(0, first));
    expect(feed(a, randomBytes(1200), initial(frame.crypto(1000, second)))).toEqual(SEEN);
  });

  test('[QT-01] limits: four datagrams, 256 frames, 16 KiB', () => {
    const a = initial(frame.crypto(0, first));
    expect(feed(a, a, a)).toBe('more');
    expect(feed(a, a, a, a)).toBe('invalid');
    expect(feed(a, a, a, initial(frame.crypto(1000, second)))).toEqual(SEEN);
    const pings = Array.from({ length: 255 }, () => frame.ping());
    expect(feed(initial(...pings, frame.crypto(0, PLAIN)))).toEqual(SEEN);
    expect(feed(initial(...pings, frame.ping(), frame.crypto(0, PLAIN)))).toBe('invalid');
    expect(feed(initial(frame.crypto(16_284, Buffer.alloc(100))))).toBe('more');
    expect(feed(initial(frame.crypto(16_285, Buffer.alloc(100))))).toBe('invalid');
    expect(feed(initial(frame.crypto(2 ** 40, Buffer.alloc(100))))).toBe('invalid');
  });

  test.each([
    ['CONNECTION_CLOSE', frame.connectionClose(0)],
    ['STREAM', frame.stream(0, 0, Buffer.from('x'))],
    ['an unknown frame', Buffer.of(0x3f)],
    ['CRYPTO beyond the packet', Buffer.from('06007fff', 'hex')],
    ['ACK with more ranges than bytes', Buffer.from('020000bfffffff', 'hex')],
  ])('[QT-01] %s in an Initial ends it, and it stays ended', (_, forbidden) => {
    const peek = new ClientHelloPeek(DCID);
    const filled = forgeInitial({ destinationConnectionId: DCID, frames: [frame.ping(), forbidden], packetBytes: 0 });
    expect(peek.feed(filled)).toBe('invalid');
    expect(peek.feed(initial(frame.crypto(0, PLAIN)))).toBe('invalid');
  });
});

test('[QT-01] 60,000 mutated hellos, frames and datagrams: always an outcome, never a throw', () => {
  const random = seededRandom(0x5eed);
  const seeds = [PLAIN, LARGE, hello(), hello(serverName('a'), extension(42), extension(0xfe0d, Buffer.alloc(9)))];
  const counts: Record<string, number> = { hello: 0, more: 0, invalid: 0 };
  const count = (outcome: PeekOutcome): void => {
    const kind = typeof outcome === 'string' ? outcome : 'hello';
    counts[kind] = (counts[kind] ?? Number.NaN) + 1;
  };
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  for (let round = 0; round < 40_000; round++) count(parseClientHello(mutate(pick(seeds), random), 16_384));
  for (let round = 0; round < 10_000; round++) {
    const payload = mutate(frame.crypto(Math.floor(random() * 2), pick(seeds).subarray(0, 1100)), random);
    count(feed(initial(payload)));
  }
  const sealed = seeds.map((seed) => initial(frame.crypto(0, seed.subarray(0, 1100))));
  for (let round = 0; round < 10_000; round++) count(feed(mutate(pick(sealed), random), mutate(pick(sealed), random)));
  expect(Object.values(counts).reduce((sum, value) => sum + value)).toBe(60_000);
  // The mutations reach all three ends, or they would prove little.
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(1000);
});

function mutate(seed: Uint8Array, random: () => number): Uint8Array {
  let bytes = Buffer.from(seed);
  for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) {
    const at = Math.floor(random() * bytes.length);
    switch (Math.floor(random() * 5)) {
      case 0:
        bytes[at] = Math.floor(random() * 256);
        break;
      case 1:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(Math.floor(random() * 256)), bytes.subarray(at)]);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.floor(random() * bytes.length))]);
    }
  }
  return bytes;
}

/** mulberry32: the same sequence in every run. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
