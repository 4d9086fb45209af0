import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { frame } from './engine/packet-forge.ts';
import { AttackStage } from './tools/attack-stage.ts';
import { ForgingPeer } from './tools/forging-peer.ts';
import { FRAME } from './tools/frames.ts';
import { DOMAIN, HEADER } from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';
import { ATTACKED_DOMAIN } from './tools/udp-attacker.ts';

/*
 * What a peer can do inside of a connection of its own, against a listener in a process of its own: it is told the error of
 * RFC 9000 §20.1 where there is one, it is counted, and its neighbours go on.
 */

const MEGABYTE = 1_000_000;
const ATTACKER_HEADER = Buffer.from(HEADER.replace(DOMAIN, ATTACKED_DOMAIN));

let stage: AttackStage;

beforeEach(async () => {
  stage = await AttackStage.set({ limits: { headerTimeoutMs: 2_000 } });
});

afterEach(() => stage.clear());

async function connectPeer(opening = ''): Promise<ForgingPeer> {
  const peer = await ForgingPeer.connect(stage.victim.port, opening);
  onTestFinished(() => peer.stop());
  return peer;
}

describe('what breaks the protocol', () => {
  const id = Buffer.alloc(16, 1);
  const token = Buffer.alloc(16, 1);
  test.each<readonly [title: string, code: number, frames: () => Uint8Array[]]>([
    ['[QT-11] a stream above the limit', 0x04, () => [frame.stream(4 * 16, 0, ATTACKER_HEADER)]],
    ['[QT-11] a unidirectional stream', 0x04, () => [frame.stream(2, 0, ATTACKER_HEADER)]],
    ['[QT-10] a byte behind the window', 0x03, () => [frame.stream(0, 262_144, Buffer.from('x'))]],
    ['[QT-13] two final sizes', 0x06, () => [frame.resetStream(0, 0, 5), frame.resetStream(0, 0, 6)]],
    ['[QT-04] an ID that was never issued is retired', 0x0a, () => [frame.retireConnectionId(1_000)]],
    [
      // RFC 9000 §5.1.1 has CONNECTION_ID_LIMIT_ERROR (0x09) for it; this engine says PROTOCOL_VIOLATION.
      '[QT-04] more IDs than the limit',
      0x0a,
      () => Array.from({ length: 40 }, (_, sequence) => frame.newConnectionId(sequence + 1, 0)),
    ],
    [
      // RFC 9000 §19.15 has PROTOCOL_VIOLATION; this engine says FRAME_ENCODING_ERROR.
      '[QT-04] one number, two IDs',
      0x07,
      () => [frame.newConnectionId(1, 0, id, token), frame.newConnectionId(1, 0, randomBytes(16), token)],
    ],
    ['[QT-04] retiring what is above its own number', 0x07, () => [frame.newConnectionId(1, 2)]],
    ['[QT-18] HANDSHAKE_DONE from a client', 0x0a, () => [frame.handshakeDone()]],
  ])('%s', async (_title, code, framesOf) => {
    const peer = await connectPeer();
    const damage = await stage.play(async () => {
      await peer.send(peer.seal(...framesOf()));
      expect(await peer.closed()).toEqual({ application: false, code });
    });
    expect(damage.counters).toMatchObject({ violations: 1, excessiveLoads: 0, engineFailures: 0 });
    expect(damage.after.endings).toEqual([
      { clean: false, by: 'local', code: 'XMPP_TRANSPORT_VIOLATION', quicCode: code },
    ]);
  });

  test('[QT-04] the ID in use is retired: the engine fails on the connection, and it is dropped', async () => {
    const peer = await connectPeer();
    const damage = await stage.play(async () => {
      await peer.send(peer.seal(frame.retireConnectionId(0)));
      await expect.poll(async () => (await stage.victim.report()).connections).toBe(1);
    });
    expect(damage.counters).toMatchObject({ violations: 0, engineFailures: 1 });
    expect(damage.after.endings).toMatchObject([{ clean: false, code: 'XMPP_INTERNAL' }]);
    expect(peer.closedBy).toBeNull();
  });
});

describe('without end', () => {
  test('[TC-12] [QT-11] streams that are opened and reset at once', async () => {
    const client = await RawQuicClient.connect({ port: stage.victim.port });
    onTestFinished(() => client.stop());
    const streams = 3_000;
    const damage = await stage.play(async () => {
      for (let index = 0; index < streams; index++) {
        await client.until(() => client.engine.draining || client.engine.peerStreamsLeft > 0);
        client.engine.write(4 * index, ATTACKER_HEADER, false);
        client.engine.resetWriting(4 * index, 7);
        client.flush();
      }
    });
    expect(damage.growthBytes).toBeLessThan(80 * MEGABYTE);
    expect(damage.after).toMatchObject({ connections: 2, endings: [] });
  });

  test('[TC-12] streams that are opened and say nothing are over after the header timeout', async () => {
    const client = await RawQuicClient.connect({ port: stage.victim.port });
    onTestFinished(() => client.stop());
    const damage = await stage.play(async () => {
      for (let index = 0; index < 16; index++) client.write(4 * index, '<');
      expect(client.engine.peerStreamsLeft).toBe(0);
      await client.until(() => client.hasEnded(60));
    });
    for (let index = 0; index < 16; index++) expect(client.text(4 * index)).toContain('connection-timeout');
    expect(damage.growthBytes).toBeLessThan(24 * MEGABYTE);
    expect(damage.after).toMatchObject({ connections: 2, endings: [] });
  });

  test('[QT-04] connection IDs that are retired as soon as they are issued', async () => {
    const peer = await connectPeer(ATTACKER_HEADER.toString());
    const rounds = 500;
    const damage = await stage.play(async () => {
      for (let round = 0; round < rounds; round++) {
        const target = peer.connectionIds[peer.connectionIds.length - 1] as Uint8Array;
        await peer.send(
          // It answers with an acknowledgement, and then with the next ID.
          peer.forgeTo(target, 2_000 + round).seal(frame.ack(2 * round, 2 * round), frame.retireConnectionId(round)),
        );
        await stage.victim.report();
      }
    });
    expect(peer.connectionIds.length).toBeGreaterThan(rounds);
    expect(damage.after).toMatchObject({ connections: 2, endings: [] });
    expect(damage.after.routes).toBeLessThan(30);
    expect(damage.growthBytes).toBeLessThan(40 * MEGABYTE);
  });
});

describe('stateless resets', () => {
  test('[QT-07] a forged one ends nothing, nor does the one of a neighbour', async () => {
    const client = await RawQuicClient.connect({ port: stage.victim.port });
    onTestFinished(() => client.stop());
    // Anyone can have the reset of an ID that leads nowhere; it has the token of that ID.
    const neighbours: Buffer[] = [];
    const damage = await stage.play(async () => {
      for (let count = 0; count < 300; count++) {
        const forged = randomBytes(43);
        forged.writeUInt8(0x40 | (forged.readUInt8(0) & 0x3f), 0);
        client.receive(forged);
      }
      client.onDatagram = (datagram) => neighbours.push(datagram);
      client.send(Buffer.concat([Buffer.of(0x43), randomBytes(60)]));
      await client.until(() => true);
      await expect.poll(() => neighbours.length).toBeGreaterThan(0);
      client.onDatagram = null;
      for (const datagram of neighbours) client.receive(datagram);
    });
    expect(client.engine.closed).toBe(false);
    expect(damage.counters.statelessResets).toBe(1);
    client.write(0, HEADER);
    await client.until(() => client.text(0).includes('<stream:stream'));
  });

  test('[QT-07] junk for connections that nobody knows is answered by less than came', async () => {
    const peer = await connectPeer();
    let sent = 0;
    const damage = await stage.play(async () => {
      const before = peer.receivedBytes;
      for (let count = 1; count <= 3_000; count++) {
        const junk = Buffer.concat([Buffer.of(0x43), randomBytes(20 + (count % 1_000))]);
        sent += junk.length;
        await peer.send(junk);
        if (count % 50 === 0) await stage.victim.report();
      }
      expect(peer.receivedBytes - before).toBeLessThan(sent);
    });
    expect(damage.counters.unknownConnection).toBe(3_000);
    expect(damage.after.routes).toBeLessThan(20);
    expect(damage.growthBytes).toBeLessThan(24 * MEGABYTE);
  });
});

test('[QT-02] this engine sends no NEW_TOKEN, and lets one that comes from a client pass', async () => {
  const peer = await connectPeer();
  const damage = await stage.play(async () => {
    await peer.send(peer.seal(frame.newToken(randomBytes(16))));
    const answer = once(peer.socket, 'message');
    await peer.send(peer.seal(frame.ping()));
    await answer;
  });
  expect([...peer.frameTypes]).toContain(FRAME.newConnectionId);
  expect([...peer.frameTypes]).not.toContain(FRAME.newToken);
  // RFC 9000 §19.7 has PROTOCOL_VIOLATION for it.
  expect(damage.counters.violations).toBe(0);
  expect(damage.after.connections).toBe(2);
});
