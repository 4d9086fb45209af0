import dgram from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { frame } from './engine/packet-forge.ts';
import { AttackStage } from './tools/attack-stage.ts';
import { ForgingPeer } from './tools/forging-peer.ts';
import { DOMAIN, HEADER } from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';
import { ATTACKED_DOMAIN } from './tools/udp-attacker.ts';

/*
 * Addresses that are not what they seem, against a listener in a process of its own. On a loopback a socket of ours stands
 * for the victim whose address is spoofed: what comes to it is what would have come to that victim.
 */

const MEGABYTE = 1_000_000;
const AMPLIFICATION = 3;

let stage: AttackStage;

beforeEach(async () => {
  stage = await AttackStage.set();
});

afterEach(() => stage.clear());

async function connectPeer(opening = ''): Promise<ForgingPeer> {
  const peer = await ForgingPeer.connect(stage.victim.port, opening);
  onTestFinished(() => peer.stop());
  return peer;
}

/** An address that is spoofed, and what has come to it. */
async function spoofed(host = '127.0.0.9'): Promise<{ socket: dgram.Socket; receivedBytes(): number }> {
  const socket = dgram.createSocket('udp4');
  let bytes = 0;
  socket.on('message', (datagram) => {
    bytes += datagram.length;
  });
  socket.bind(0, host);
  await once(socket, 'listening');
  socket.setRecvBufferSize(4 * 1024 * 1024);
  onTestFinished(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return { socket, receivedBytes: () => bytes };
}

describe('path changes without end', () => {
  test('[QT-05] authentic packets from 2000 ports', async () => {
    const peer = await connectPeer(HEADER.replace(DOMAIN, ATTACKED_DOMAIN));
    const damage = await stage.play(async () => {
      for (let count = 1; count <= 2_000; count++) {
        const socket = dgram.createSocket('udp4');
        await peer.send(peer.seal(frame.ping()), socket);
        socket.close();
        if (count % 50 === 0) await stage.victim.report();
      }
    });
    expect(damage.after.routes).toBeLessThan(40);
    expect(damage.growthBytes).toBeLessThan(24 * MEGABYTE);
    expect(damage.cpuMs).toBeLessThan(5_000);
  });

  test.each<readonly [title: string, first: readonly number[], step: number]>([
    ['by 100,000', [100_000, 200_000, 300_000], 0],
    ['by 4,000, again and again', [4_000], 4_000],
  ])(
    '[QT-06] and each to another connection ID, from a peer whose own are numbered %s',
    async (_title, first, step) => {
      const peer = await connectPeer(HEADER.replace(DOMAIN, ATTACKED_DOMAIN));
      await expect.poll(() => peer.connectionIds.length).toBeGreaterThan(1);
      const damage = await stage.play(async () => {
        await peer.send(peer.seal(frame.ping(), ...first.map((number) => frame.newConnectionId(number, 0))));
        await stage.victim.report();
        for (let count = 1; count <= 500; count++) {
          const next = step === 0 || count % 2 === 1 ? frame.ping() : frame.newConnectionId(4_000 + count * step, 0);
          const id = peer.connectionIds[count % 2] as Uint8Array;
          const socket = dgram.createSocket('udp4');
          await peer.send(peer.forgeTo(id, 10_000 + count).seal(frame.ping(), next), socket);
          socket.close();
          if (count % 10 === 0) await stage.victim.report();
        }
      });
      // Looking through the gaps once costs a fraction of a second; for each packet it would be half a minute.
      expect(damage.cpuMs).toBeLessThan(5_000);
      expect(damage.after.endings.length + damage.after.connections).toBe(2);
    },
  );
});

describe('spoofed sources', () => {
  test('[QT-05] a copy of each packet comes from elsewhere before the packet itself: nothing is lost', async () => {
    const elsewhere = await spoofed();
    const client = await RawQuicClient.connect({ port: stage.victim.port });
    onTestFinished(() => client.stop());
    client.write(0, HEADER);
    await client.until(() => client.text(0).includes('<stream:stream'));
    let sent = 0;
    const damage = await stage.play(async () => {
      for (let count = 1; count <= 50; count++) {
        client.engine.write(0, Buffer.from(`<message id='${count}'/>`), false);
        for (const datagram of client.datagrams()) {
          sent += datagram.length;
          client.send(Uint8Array.from(datagram), elsewhere.socket);
          client.send(datagram);
        }
        client.flush();
        await client.until(() => client.text(0).includes(`id='${count}'`));
      }
    });
    expect(elsewhere.receivedBytes()).toBeLessThanOrEqual(AMPLIFICATION * sent);
    expect(damage.after.connections).toBe(2);
  });

  test.each([
    ['one address', 1],
    ['ten addresses in turn', 10],
  ])(
    '[QT-05] CVE-2025-4821: a peer that acknowledges on behalf of %s has at most three times sent there',
    async (_title, count) => {
      const asked = 20 * MEGABYTE;
      const opening = `${HEADER.replace(DOMAIN, ATTACKED_DOMAIN)}<more xmlns='urn:x' bytes='${asked}'/>`;
      const peer = await connectPeer(opening);
      const victims = await Promise.all(Array.from({ length: count }, (_, index) => spoofed(`127.0.0.${10 + index}`)));
      const received = (): number => victims.reduce((sum, { receivedBytes }) => sum + receivedBytes(), 0);
      let sent = 0;
      const damage = await stage.play(async () => {
        // The window is opened from the true address first.
        let acknowledged = 100;
        for (let round = 0; round < 200; round++) {
          await peer.send(peer.seal(frame.maxStreamData(0, 2 ** 40), frame.ack(acknowledged, acknowledged)));
          acknowledged += 100;
          if (round % 10 === 0) await stage.victim.report();
        }
        for (let round = 0; round < 1_000; round++) {
          const datagram = peer.seal(frame.maxStreamData(0, 2 ** 40), frame.ack(acknowledged, acknowledged));
          acknowledged += 100;
          sent += datagram.length;
          await peer.send(datagram, victims[round % count]?.socket);
          if (round % 10 === 0) await stage.victim.report();
          // And now and then it is seen at home, as if the other address had been given up.
          if (round % 100 === 50) await peer.send(peer.seal(frame.ping()));
        }
      });
      expect(peer.receivedBytes).toBeGreaterThan(MEGABYTE / 10);
      expect(received()).toBeLessThanOrEqual(AMPLIFICATION * sent);
      expect(damage.after.connections).toBe(2);
    },
  );
});
