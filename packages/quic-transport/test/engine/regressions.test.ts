import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EngineConfigOptions } from '../../src/engine/port.ts';
import { Attacker } from './attacker.ts';
import { acceptOptions, clientOptions, connectOptions, ID_BYTES, SERVER_PATH, serverOptions } from './harness.ts';
import { frame, type ShortPacketForge } from './packet-forge.ts';
import { Victim } from './victim.ts';

/*
 * Each way known to hang or abort a process that has quiche 0.18 and its binding in it, tried through the port against
 * a process of its own. A victim that aborts rejects the request; one that hangs lets the test time out, and is killed.
 */

let victim: Victim;
let attacker: Attacker;

beforeEach(async () => {
  victim = await Victim.start();
  attacker = new Attacker();
});

afterEach(async () => {
  attacker.dispose();
  await victim.kill();
});

/** Carries datagrams to and fro until both are silent. */
async function pump(): Promise<void> {
  for (let moved = true; moved; ) {
    moved = false;
    for (const datagram of attacker.transmit()) {
      moved = true;
      for (const answer of (await victim.turn(datagram)).datagrams) attacker.receive(answer);
    }
    for (const datagram of (await victim.ask<Uint8Array[]>('transmit')).value) {
      moved = true;
      attacker.receive(datagram);
    }
  }
}

async function handshake(options: Partial<EngineConfigOptions> = {}): Promise<ShortPacketForge> {
  await victim.ask('accept', await serverOptions(options), acceptOptions());
  await pump();
  expect(await victim.get('established')).toBe(true);
  return attacker.forge();
}

/** The victim is well: another stream gets through. It is forged too, for the number of its packet has to be above. */
async function expectAlive(forge: ShortPacketForge): Promise<void> {
  const id = 4 * 5;
  const { streams } = await victim.turn(forge.seal(frame.stream(id, 0, Buffer.from('still there?'), true)));
  expect(streams).toContainEqual({ id, chunks: ['still there?', 'FIN'] });
}

const packetsReceived = async (): Promise<number> =>
  (await victim.call<{ packetsReceived: number }>('stats')).value.packetsReceived;

const elsewhere = { ...SERVER_PATH, remote: { host: SERVER_PATH.remote.host, port: 2222 } };

/** The frames of CVE-2025-7054: retirement of all connection IDs, while another one is announced twice. */
const hangingFrames = (): Uint8Array[] => {
  const [id, token] = [randomBytes(ID_BYTES), randomBytes(16)];
  return [
    frame.ping(),
    frame.newConnectionId(2, 2, randomBytes(ID_BYTES), token),
    frame.newConnectionId(1, 0, id, token),
    frame.newConnectionId(1, 0, id, token),
  ];
};

describe('Endless loops', () => {
  test('[QT-04] CVE-2025-7054 from a second address: the packet never reaches the engine', async () => {
    const forge = await handshake();
    const before = await packetsReceived();
    const turn = await victim.turn(forge.seal(...hangingFrames()), elsewhere);
    expect(turn).toEqual({ failure: null, events: [], retired: [], streams: [], datagrams: [] });
    expect(await packetsReceived()).toBe(before);
    await expectAlive(forge);
  });

  test('[QT-04] CVE-2025-7054 from the address of the connection: taken, and harmless', async () => {
    const forge = await handshake();
    const before = await packetsReceived();
    await victim.turn(forge.seal(...hangingFrames()));
    expect(await packetsReceived()).toBe(before + 1);
    await victim.ask('transmit');
    await expectAlive(forge);
  });

  test('[QT-04] 300 random sequences of NEW_CONNECTION_ID on one path: no hang', async () => {
    const random = seededRandom(7054);
    const below = (limit: number): number => Math.floor(random() * limit);
    const forge = await handshake();
    for (let packet = 0; packet < 300 && !(await victim.get<boolean>('draining')); packet++) {
      const frames = Array.from({ length: 1 + below(4) }, () =>
        frame.newConnectionId(below(6), below(4), Buffer.alloc(ID_BYTES, below(6)), Buffer.alloc(16, 1)),
      );
      await victim.turn(forge.seal(frame.ping(), ...frames));
    }
    // Such a peer may be closed; the process goes on.
    expect(await victim.get('established')).toBe(true);
  });

  test('[QT-13] FIN and RESET_STREAM in one packet: the stream stays listed, one pass over the list ends', async () => {
    const forge = await handshake();
    const data = Buffer.from('x');
    const turn = await victim.turn(forge.seal(frame.stream(0, 0, data, true), frame.resetStream(0, 1, 1)));
    expect(turn.failure).toBeNull();
    expect(turn.streams.map(({ id }) => id)).toEqual([0]);
    const next = await victim.turn(forge.seal(frame.ping()));
    expect(next.failure).toBeNull();
    await expectAlive(forge);
  });
});

describe('Aborts by numbers', () => {
  const BAD_NUMBERS = [-1, 2 ** 62, 2 ** 63, 1e300, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

  test.each([
    'idleTimeoutMs',
    'maxDatagramBytes',
    'streamWindowBytes',
    'maxStreamWindowBytes',
    'maxPeerStreams',
    'activeConnectionIdLimit',
  ] as const)('[QT-20] %s out of range, in both roles', async (name) => {
    for (const value of BAD_NUMBERS) {
      expect(await victim.ask('accept', await serverOptions({ [name]: value }), acceptOptions())).toEqual({
        value: undefined,
      });
      expect(await victim.ask('connect', clientOptions({ [name]: value }), connectOptions())).toEqual({
        value: undefined,
      });
      expect((await victim.ask<Uint8Array[]>('transmit')).value).toHaveLength(1);
    }
  });

  test.each(BAD_NUMBERS)('[QT-14] codes out of range, in close and on streams: %d', async (code) => {
    const forge = await handshake();
    const data = Buffer.from('x');
    await victim.turn(forge.seal(frame.stream(0, 0, data), frame.stream(4, 0, data)));
    await victim.call('resetWriting', 0, code);
    await victim.call('stopReading', 4, code);
    expect((await victim.ask<Uint8Array[]>('transmit')).value).toHaveLength(1);
    await victim.call('close', true, code, 'reason');
    const [close] = (await victim.ask<Uint8Array[]>('transmit')).value;
    attacker.receive(close as Uint8Array);
    expect(attacker.connection.peerError()).toMatchObject({ isApp: true });
  });

  test('[QT-14] a reason longer than a packet', async () => {
    await handshake();
    await victim.call('close', true, 0, 'y'.repeat(100_000));
    const [close] = (await victim.ask<Uint8Array[]>('transmit')).value;
    attacker.receive(close as Uint8Array);
    expect(attacker.connection.peerError()?.reason).toHaveLength(200);
  });
});

describe('Aborts by credentials and names', () => {
  const nothing = Buffer.alloc(0);

  test('[CERT-01] no credential, and an empty one', async () => {
    const empty = { chainPem: nothing, keyPem: nothing };
    for (const credential of [null, empty]) {
      const answer = await victim.ask('accept', await serverOptions({ credential }), acceptOptions());
      expect(answer.failure).toBe('misuse');
    }
    expect((await victim.ask('connect', clientOptions({ credential: empty }), connectOptions())).failure).toBe(
      'misuse',
    );
    expect((await victim.ask('connect', clientOptions(), connectOptions())).failure).toBeUndefined();
  });

  test('[Q-07] a server name with a zero byte', async () => {
    const answer = await victim.ask('connect', clientOptions(), connectOptions({ serverName: 'a\0.example' }));
    expect(answer.failure).toBe('misuse');
  });
});

describe('What a peer may not send', () => {
  test.each([
    ['a unidirectional stream', 0x04, () => frame.stream(2, 0, Buffer.from('x'))],
    ['one stream more than granted', 0x04, () => frame.stream(4 * 10, 0, Buffer.from('x'))],
    ['more bytes than granted', 0x03, () => frame.stream(0, 65_536, Buffer.from('x'))],
    [
      'bytes after the end',
      0x06,
      () => Buffer.concat([frame.stream(0, 0, nothing, true), frame.stream(0, 0, Buffer.from('x'))]),
    ],
    ['HANDSHAKE_DONE to a server', 0x0a, () => frame.handshakeDone()],
    ['a frame that does not exist', 0x07, () => Buffer.of(0x3f)],
  ] as const)('[QT-11] %s: closed with the code of RFC 9000', async (_, code, forged) => {
    const forge = await handshake();
    const turn = await victim.turn(forge.seal(forged()));
    expect(turn.failure).toBe('protocol');
    expect(await victim.get('localError')).toMatchObject({ application: false, code });
    for (const datagram of turn.datagrams) attacker.receive(datagram);
    expect(attacker.connection.peerError()).toMatchObject({ isApp: false, errorCode: code });
  });

  const nothing = Buffer.alloc(0);

  test('[QT-04] a retired connection ID is told; a late packet to it closes the connection, and no more', async () => {
    const forge = await handshake();
    const [first, spare] = [attacker.connection.destinationId(), randomBytes(ID_BYTES)];
    await victim.call('issueConnectionId', spare, randomBytes(16));
    await pump();
    const bySpare = attacker.forge(spare, 1010);
    const turn = await victim.turn(bySpare.seal(frame.retireConnectionId(0)));
    expect(turn.retired.map((id) => Buffer.from(id))).toEqual([Buffer.from(first)]);
    const late = await victim.turn(forge.seal(frame.ping()));
    expect(late.failure).toBe('protocol');
    expect(await victim.get('localError')).toMatchObject({ application: false, code: 0x0a });
  });

  test('[QT-19] an acknowledgement of packets that were never sent', async () => {
    const forge = await handshake();
    await victim.turn(forge.seal(frame.ack(1_000_000)));
    // RFC 9000 §13.1 lets it be closed with PROTOCOL_VIOLATION; this engine takes it. Either way the process lives.
    expect(await victim.get('established')).toBe(true);
  });

  test('[QT-04] floods of CRYPTO, PATH_CHALLENGE and NEW_CONNECTION_ID: 200 datagrams each', async () => {
    const forge = await handshake();
    for (let datagram = 0; datagram < 200; datagram++) {
      const challenges = Array.from({ length: 60 }, () => frame.pathChallenge());
      const fragments = Array.from({ length: 60 }, (_, index) =>
        frame.crypto(2 * (60 * datagram + index), Buffer.of(0)),
      );
      await victim.turn(forge.seal(...challenges));
      await victim.turn(forge.seal(...fragments));
      await victim.turn(forge.seal(frame.newConnectionId(datagram + 1, datagram + 1)));
    }
    expect(await victim.get('established')).toBe(true);
  });
});

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
