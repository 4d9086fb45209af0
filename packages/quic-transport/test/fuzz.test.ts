import dgram from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { collect, connectPair, createQuicTransport, HEADER, openStreamPair, targetOf } from './tools/quic-pair.ts';
import { createRandom, type Random } from './tools/random.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';

/** How many mutated datagrams; more by the environment, for a longer look. */
const DATAGRAMS = 100_000 * Number(process.env.STANZAPORT_FUZZ_SCALE ?? 1);
/** Sent between two looks at what the listener has taken, so that the kernel drops none. */
const BURST = 100;

const unexpected: unknown[] = [];
const note = (error: unknown): void => {
  unexpected.push(error);
};

beforeEach(() => {
  unexpected.length = 0;
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
});

afterEach(() => {
  process.off('uncaughtException', note);
  process.off('unhandledRejection', note);
});

/** Genuine datagrams of a client: Initial, Handshake and 1-RTT packets, some of the latter with stream data. */
async function recordClient(port: number): Promise<Buffer[]> {
  const client = await RawQuicClient.start({ port });
  await client.until(() => client.engine.established);
  client.write(0, HEADER);
  for (let count = 0; count < 20; count++) client.write(0, `<a xmlns='urn:x' n='${count}'/>`);
  await client.until(() => client.engine.stats().packetsReceived > 3);
  await client.stop();
  return client.sent;
}

async function freshInitials(count: number): Promise<Buffer[]> {
  const sink = dgram.createSocket('udp4');
  sink.bind(0, '127.0.0.1');
  await once(sink, 'listening');
  const initials: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const received = once(sink, 'message') as Promise<[Buffer]>;
    const client = await RawQuicClient.start({ port: sink.address().port });
    initials.push((await received)[0]);
    await client.stop();
  }
  sink.close();
  return initials;
}

function mutate(random: Random, seeds: readonly Buffer[]): Buffer {
  const seed = random.pick(seeds);
  const bytes = Buffer.from(seed);
  switch (random.below(7)) {
    case 0: // as it was: a replay
      return bytes;
    case 1: // bits flipped, anywhere
      for (let count = 1 + random.below(8); count > 0; count--) {
        const at = random.below(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      }
      return bytes;
    case 2: // bits flipped in the header
      for (let count = 1 + random.below(4); count > 0; count--) {
        const at = random.below(Math.min(bytes.length, 48));
        bytes[at] = random.below(256);
      }
      return bytes;
    case 3: // cut off
      return bytes.subarray(0, random.below(bytes.length));
    case 4: // two joined
      return Buffer.concat([bytes.subarray(0, random.below(bytes.length)), random.pick(seeds)]).subarray(0, 1_500);
    case 5: // garbage behind a genuine beginning
      return Buffer.concat([bytes.subarray(0, 1 + random.below(40)), random.bytes(random.below(1_300))]);
    default: // garbage
      return random.bytes(random.below(1_400));
  }
}

test('[TC-11] mutated, truncated and replayed datagrams are dropped and counted; a live connection is not disturbed', async () => {
  await using pair = await connectPair();
  const { initiating, receiving } = await openStreamPair(pair);
  const { stanzas } = collect(receiving);
  const { listener } = pair;
  const { port } = listener.address;
  const seeds = [...(await recordClient(port)), ...(await freshInitials(20))];
  const random = createRandom(0x5eed);
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let memoryAfterWarmUp = 0;
  let sent = 0;
  while (listener.counters.received < DATAGRAMS) {
    const target = listener.counters.received + BURST;
    for (let count = 0; count < BURST; count++) socket.send(mutate(random, seeds), port, '127.0.0.1');
    sent += 1;
    initiating.send(`<message id='${sent}'/>`);
    // An empty datagram is not told of, and the kernel may drop some: a bounded number of turns is enough for the rest.
    for (let turn = 0; turn < 50 && listener.counters.received < target; turn++) await new Promise(setImmediate);
    if (memoryAfterWarmUp === 0 && listener.counters.received > DATAGRAMS / 4) {
      memoryAfterWarmUp = process.memoryUsage().rss;
    }
  }
  const growth = process.memoryUsage().rss - memoryAfterWarmUp;
  await expect.poll(() => stanzas.length, { timeout: 10_000 }).toBe(sent);
  expect(stanzas.at(-1)).toBe(`<message id='${sent}'/>`);
  expect(unexpected).toEqual([]);
  const { malformed, unknownConnection, unreadable, admitted } = listener.counters;
  for (const counted of [malformed, unknownConnection, unreadable, admitted]) expect(counted).toBeGreaterThan(0);
  expect(growth).toBeLessThan(96 * 1024 * 1024);
  socket.close();
  // And the door is still open.
  const client = await createQuicTransport({ domains: [] });
  await using another = await client.connect(targetOf(listener.address));
  expect(another.kind).toBe('c2s');
}, 180_000);
