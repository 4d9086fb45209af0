import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { forgeInitial, frame } from './engine/packet-forge.ts';
import { AttackStage, type Damage } from './tools/attack-stage.ts';
import { ForgingPeer } from './tools/forging-peer.ts';
import { DOMAIN, HEADER } from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';
import { ATTACKED_DOMAIN } from './tools/udp-attacker.ts';

/*
 * The advisories that this version of the engine has, played with packets made by hand against a listener in a process of its
 * own. In each a well-behaved connection to the same listener goes on exchanging stanzas, memory and processor time stay
 * below what is written here, and what happened is counted. The watchdog is armed with its default.
 */

const MEGABYTE = 1_000_000;
const ATTACKER_HEADER = HEADER.replace(DOMAIN, ATTACKED_DOMAIN);

let stage: AttackStage;
let peer: ForgingPeer;

beforeEach(async () => {
  stage = await AttackStage.set();
});

afterEach(() => stage.clear());

async function connectPeer(opening = ''): Promise<void> {
  const connected = await ForgingPeer.connect(stage.victim.port, opening);
  onTestFinished(() => connected.stop());
  peer = connected;
}

/** Sends datagrams until the victim has ended the connection; tells how many bytes that took. */
async function flood(next: () => Uint8Array, mostBytes: number): Promise<number> {
  let bytes = 0;
  while (bytes < mostBytes) {
    for (let count = 0; count < 20; count++) {
      const datagram = next();
      bytes += datagram.length;
      await peer.send(datagram);
    }
    // As fast as the victim takes it: what the system drops would do no harm.
    const { counters } = await stage.victim.report();
    if (counters.excessiveLoads > 0) break;
  }
  return bytes;
}

/** That connection alone has been ended, for its bytes. */
function expectEndedByBudget({ counters, after }: Damage): void {
  expect(counters).toMatchObject({ excessiveLoads: 1, violations: 0, admitted: 0 });
  expect(after.endings).toEqual([{ clean: false, by: 'local', code: 'XMPP_LIMIT_EXCEEDED', quicCode: null }]);
}

let fragments = 0;
/** Frames of CRYPTO data with gaps, never the same ones: each is held until the gap before it is filled. */
const cryptoFragments = (count: number): Uint8Array[] =>
  Array.from({ length: count }, () => frame.crypto(2 * ++fragments, Buffer.from([1])));

describe('bytes that lead to nothing', () => {
  let sequence = 0;
  test.each<readonly [title: string, frames: () => Uint8Array[]]>([
    ['CVE-2024-1765: CRYPTO data', () => cryptoFragments(150)],
    [
      'CVE-2024-1410: connection IDs to retire',
      () => Array.from({ length: 25 }, () => frame.newConnectionId(++sequence, sequence)),
    ],
    ['CVE-2023-6193: path challenges', () => Array.from({ length: 130 }, () => frame.pathChallenge())],
  ])('[TC-12] %s without end, and nothing acknowledged', async (_title, framesOf) => {
    await connectPeer();
    const damage = await stage.play(async () => {
      await flood(() => peer.seal(...framesOf()), 8 * MEGABYTE);
    });
    expectEndedByBudget(damage);
    expect(damage.growthBytes).toBeLessThan(40 * MEGABYTE);
    expect(damage.cpuMs).toBeLessThan(5_000);
  });

  test('[TC-12] CVE-2024-1765 in small packets, each sent after the answer to the last', async () => {
    await connectPeer();
    let bytes = 0;
    const damage = await stage.play(async () => {
      while (peer.closedBy === null && bytes < MEGABYTE) {
        const datagram = peer.seal(...cryptoFragments(12));
        const answer = once(peer.socket, 'message');
        bytes += datagram.length;
        await peer.send(datagram);
        await answer;
      }
    });
    expect(peer.closedBy).toEqual({ application: true, code: 0x01 });
    expectEndedByBudget(damage);
    expect(damage.growthBytes).toBeLessThan(40 * MEGABYTE);
  });

  test('[TC-12] CVE-2024-1765 paid for with a megabyte of stanzas', async () => {
    await connectPeer(ATTACKER_HEADER);
    const stanza = Buffer.from(`<message to='nobody'><body>${'x'.repeat(1_000)}</body></message>`);
    let offset = Buffer.byteLength(ATTACKER_HEADER);
    let acknowledged = 100;
    const damage = await stage.play(async () => {
      const paid = await flood(() => {
        acknowledged += 2;
        const answers = [frame.ack(acknowledged, acknowledged), frame.maxStreamData(0, 2 ** 40)];
        const datagram = peer.seal(...answers, frame.stream(0, offset, stanza));
        offset += stanza.length;
        return datagram;
      }, MEGABYTE);
      expect(paid).toBeGreaterThanOrEqual(MEGABYTE);
      await flood(() => peer.seal(...cryptoFragments(150)), 8 * MEGABYTE);
    });
    expectEndedByBudget(damage);
    expect(damage.growthBytes).toBeLessThan(100 * MEGABYTE);
  });

  test('[TC-12] CVE-2024-1765 by forty peers, one after the other: what the first took is there for the next', async () => {
    const damage = await stage.play(async () => {
      for (let count = 0; count < 40; count++) {
        await connectPeer();
        const { excessiveLoads } = (await stage.victim.report()).counters;
        while ((await stage.victim.report()).counters.excessiveLoads === excessiveLoads) {
          for (let index = 0; index < 20; index++) await peer.send(peer.seal(...cryptoFragments(150)));
        }
      }
    });
    expect(damage.counters.excessiveLoads).toBe(40);
    // Each takes 8, and no more of them than a few wait for the collector.
    expect(damage.growthBytes).toBeLessThan(150 * MEGABYTE);
  });

  test('[TC-12] CVE-2024-1765 before the handshake: a half-open connection is given up early', async () => {
    const client = await RawQuicClient.start({ port: 9 });
    const [hello] = client.sent as [Buffer];
    await client.stop();
    const id = hello.subarray(6, 6 + (hello[5] ?? 0));
    const socket = dgram.createSocket('udp4');
    const send = (datagram: Uint8Array): Promise<void> =>
      new Promise((resolve) => socket.send(datagram, stage.victim.port, '127.0.0.1', () => resolve()));
    const damage = await stage.play(async () => {
      await send(hello);
      await expect.poll(async () => (await stage.victim.report()).pendingHandshakes).toBe(1);
      for (let count = 1; count <= 3_000; count++) {
        const frames = cryptoFragments(100);
        await send(forgeInitial({ destinationConnectionId: id, packetNumber: 100 + count, frames }));
        if (count % 50 === 0) await stage.victim.report();
      }
    });
    socket.close();
    expect(damage.counters).toMatchObject({ admitted: 1, failedHandshakes: 1, excessiveLoads: 1 });
    expect(damage.after).toMatchObject({ pendingHandshakes: 0, connections: 1 });
    expect(damage.growthBytes).toBeLessThan(40 * MEGABYTE);
  });

  test('[QT-10] [TC-12] every second byte of every stream it may open', async () => {
    await connectPeer();
    // The streams are open, and their readers wait for what is missing.
    const opening = Buffer.from(ATTACKER_HEADER);
    for (let index = 0; index < 16; index++) await peer.send(peer.seal(frame.stream(4 * index, 0, opening)));
    const offsets = new Array<number>(16).fill(opening.length - 1);
    let next = 0;
    const fragmentsOfStreams = (): Uint8Array[] =>
      Array.from({ length: 140 }, () => {
        const index = next++ % offsets.length;
        offsets[index] = (offsets[index] ?? 0) + 2;
        return frame.stream(4 * index, offsets[index] as number, Buffer.from('x'));
      });
    const damage = await stage.play(async () => {
      await flood(() => peer.seal(...fragmentsOfStreams()), 16 * MEGABYTE);
    });
    expectEndedByBudget(damage);
    // 256 KiB and the windows of four streams, in frames of eight bytes.
    expect(damage.growthBytes).toBeLessThan(80 * MEGABYTE);
  });
});

describe('acknowledgements of what was never received', () => {
  test('[QT-19] CVE-2025-4820, CVE-2025-4821: no byte leaves that the application did not give', async () => {
    const asked = 20 * MEGABYTE;
    await connectPeer(`${ATTACKER_HEADER}<more xmlns='urn:x' bytes='${asked}'/>`);
    const damage = await stage.play(async () => {
      let acknowledged = 100;
      while (peer.receivedBytes < asked && acknowledged < 2_000_000) {
        await peer.send(peer.seal(frame.maxStreamData(0, 2 ** 40), frame.ack(acknowledged, acknowledged)));
        acknowledged += 500;
        await stage.victim.report();
      }
    });
    expect(peer.receivedBytes).toBeGreaterThan(MEGABYTE);
    expect(peer.receivedBytes).toBeLessThan(1.2 * asked);
    expect(damage.growthBytes).toBeLessThan(90 * MEGABYTE);
  });
});

describe('endless loops', () => {
  test('[QT-05] CVE-2025-7054: the frames that hang the engine come from another port', async () => {
    await connectPeer();
    const damage = await stage.play(async () => {
      for (let round = 0; round < 50; round++) {
        const elsewhere = dgram.createSocket('udp4');
        const [first, second, token] = [randomBytes(16), randomBytes(16), randomBytes(16)];
        await peer.send(
          peer.seal(
            frame.ping(),
            frame.newConnectionId(2 + 2 * round, 2 + 2 * round, first, token),
            frame.newConnectionId(1 + 2 * round, 0, second, token),
            frame.newConnectionId(1 + 2 * round, 0, second, token),
          ),
          elsewhere,
        );
        await stage.victim.report();
        elsewhere.close();
      }
    });
    expect(damage.cpuMs).toBeLessThan(5_000);
    expect(damage.after.connections).toBe(2);
  });

  test('[QT-13] [TC-11] a stream that is ended and reset in one packet is not read for ever', async () => {
    await connectPeer();
    const data = Buffer.from(ATTACKER_HEADER);
    const damage = await stage.play(async () => {
      for (let stream = 0; stream < 10; stream++) {
        await peer.send(
          peer.seal(frame.stream(4 * stream, 0, data, true), frame.resetStream(4 * stream, 1, data.length)),
        );
        await stage.victim.report();
      }
    });
    expect(damage.after.connections).toBe(2);
    expect(damage.cpuMs).toBeLessThan(5_000);
  });
});
