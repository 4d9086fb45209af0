import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { QuicListener } from '../src/index.ts';
import { forgeInitial, frame } from './engine/packet-forge.ts';
import { collect, createQuicTransport, DOMAIN, HEADER, openStreamPair, targetOf } from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';
import { ATTACKED_DOMAIN, UdpAttacker } from './tools/udp-attacker.ts';

/*
 * What peers can do to this version of the engine, played with packets made by hand against a real listener. An honest
 * connection on the same listener has to come through untouched, and what the attacker holds has to stay small.
 */

let listener: QuicListener;

beforeEach(async () => {
  const transport = await createQuicTransport({ domains: [DOMAIN, ATTACKED_DOMAIN] });
  listener = await transport.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(() => listener.close({ drainMs: 0 }));

/** An honest connection to the listener, and the proof that it still works. */
async function bystander(): Promise<{ isUnharmed(): Promise<boolean>; leave(): Promise<void> }> {
  const accepted = firstValueFrom(listener.connections$);
  const transport = await createQuicTransport({ domains: [] });
  const client = await transport.connect(targetOf(listener.address));
  const { initiating, receiving } = await openStreamPair({ client, server: await accepted });
  const { stanzas } = collect(receiving);
  let sent = 0;
  return {
    async isUnharmed() {
      sent += 1;
      initiating.send(`<message id='${sent}'/>`);
      await expect.poll(() => stanzas.length, { timeout: 5_000 }).toBe(sent);
      return stanzas.at(-1) === `<message id='${sent}'/>`;
    },
    async leave() {
      client.abort();
      await client.close();
    },
  };
}

/** Sends datagrams until the listener has ended the connection; tells how many bytes that took. */
async function flood(attacker: UdpAttacker, next: () => Uint8Array, mostBytes: number): Promise<number> {
  let bytes = 0;
  while (!attacker.isClosed && bytes < mostBytes) {
    for (let count = 0; count < 20; count++) {
      const datagram = next();
      bytes += datagram.length;
      await attacker.send(datagram);
    }
    await new Promise(setImmediate);
  }
  return bytes;
}

describe('bytes that lead to nothing', () => {
  /** Each makes the frames of one packet, never the same ones. */
  const floods: readonly (readonly [string, (packet: number) => Uint8Array[]])[] = [
    [
      'CVE-2024-1765: CRYPTO data without end',
      (packet) => Array.from({ length: 150 }, (_, n) => frame.crypto(2 * (150 * packet + n), Buffer.from([1]))),
    ],
    [
      'CVE-2024-1410: connection IDs without end',
      (packet) => Array.from({ length: 25 }, (_, n) => frame.newConnectionId(25 * packet + n, 25 * packet + n)),
    ],
    ['CVE-2023-6193: path challenges without end', () => Array.from({ length: 130 }, () => frame.pathChallenge())],
  ];
  test.each(floods)('[TC-12] %s end that connection alone, with bounded memory', async (_title, framesOf) => {
    const honest = await bystander();
    const attacker = await UdpAttacker.connect(listener.address.port);
    const { forge } = attacker;
    let packets = 0;
    const memoryBefore = process.memoryUsage().rss;
    const bytes = await flood(attacker, () => forge.seal(...framesOf(++packets)), 8_000_000);
    const growth = process.memoryUsage().rss - memoryBefore;
    expect(attacker.isClosed).toBe(true);
    // The budget, and what was on its way when it ran out.
    expect(bytes).toBeLessThan(2_000_000);
    expect(growth).toBeLessThan(64 * 1024 * 1024);
    expect(await honest.isUnharmed()).toBe(true);
    await attacker.stop();
    await honest.leave();
  });

  test('[TC-12] CVE-2024-1765 before the handshake: a half-open connection is given up early', async () => {
    const honest = await bystander();
    const socket = dgram.createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const client = await RawQuicClient.start({ port: 9 });
    const [hello] = client.sent;
    await client.stop();
    const id = (hello as Buffer).subarray(6, 6 + ((hello as Buffer)[5] ?? 0));
    await new Promise((resolve) => socket.send(hello as Buffer, listener.address.port, '127.0.0.1', resolve));
    await expect.poll(() => listener.counters.admitted).toBe(2);
    const received = listener.counters.received;
    for (let count = 1; count <= 200; count++) {
      const frames = Array.from({ length: 100 }, (_, index) =>
        frame.crypto(5_000 + 200 * count + 2 * index, Buffer.from([1])),
      );
      const datagram = forgeInitial({ destinationConnectionId: id, packetNumber: 100 + count, frames });
      await new Promise((resolve) => socket.send(datagram, listener.address.port, '127.0.0.1', resolve));
    }
    await expect.poll(() => listener.counters.received - received).toBe(200);
    await expect.poll(() => listener.pendingHandshakes(null)).toBe(0);
    expect(listener.counters.failedHandshakes).toBe(1);
    expect(await honest.isUnharmed()).toBe(true);
    socket.close();
    await honest.leave();
  });
});

test('[QT-05] CVE-2025-7054: the frames that hang the engine come from another port, and nothing hangs', async () => {
  const honest = await bystander();
  const attacker = await UdpAttacker.connect(listener.address.port);
  const [first, second] = [randomBytes(16), randomBytes(16)];
  const token = randomBytes(16);
  const elsewhere = dgram.createSocket('udp4');
  elsewhere.bind(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  const datagram = attacker.forge.seal(
    frame.ping(),
    frame.newConnectionId(2, 2, first, token),
    frame.newConnectionId(1, 0, second, token),
    frame.newConnectionId(1, 0, second, token),
  );
  const { received } = listener.counters;
  await attacker.send(datagram, elsewhere);
  await expect.poll(() => listener.counters.received).toBeGreaterThan(received);
  expect(await honest.isUnharmed()).toBe(true);
  elsewhere.close();
  await attacker.stop();
  await honest.leave();
});

test('[QT-13] [TC-11] a stream that is ended and reset in one packet is not read for ever', async () => {
  const honest = await bystander();
  const attacker = await UdpAttacker.connect(listener.address.port);
  const data = Buffer.from(HEADER);
  await attacker.send(
    attacker.forge.seal(frame.stream(0, 0, data, true), frame.resetStream(0, 1, data.length), frame.stream(4, 0, data)),
  );
  expect(await honest.isUnharmed()).toBe(true);
  await attacker.stop();
  await honest.leave();
});
