import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { endErrorOf } from '@stanzaport/core';
import { describe, expect, test } from 'vitest';
import { createMemoryByteStreams } from './memory-byte-stream.ts';

const WINDOW = 65_536;
const PIECE = 16_384;

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** Reads to the end and leaves the writing side alone, which the readers of node:stream/consumers would destroy. */
const read = async (stream: Duplex): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks);
};

const closed = (...streams: Duplex[]): Promise<unknown> => Promise.all(streams.map((stream) => once(stream, 'close')));

describe('a pair of memory byte streams', () => {
  test('[TC-02] carries bytes both ways, hands over copies, and closes when both have ended', async () => {
    const [left, right] = createMemoryByteStreams(WINDOW);
    const bothClosed = closed(left, right);
    const there = Buffer.alloc(3 * WINDOW + 5, 'there');
    const sent = Buffer.from(there);
    left.end(sent);
    right.end('back');
    const [atRight, atLeft] = await Promise.all([read(right), read(left)]);
    sent.fill(0);
    expect(atRight.equals(there)).toBe(true);
    expect(atLeft.toString()).toBe('back');
    await bothClosed;
  });

  test('[TC-02] hands nothing over in the turn in which it is written', async () => {
    const [left, right] = createMemoryByteStreams(WINDOW);
    left.write('later');
    await Promise.resolve();
    expect(right.readableLength).toBe(0);
    await once(right, 'readable');
    expect(right.read()?.toString()).toBe('later');
    left.destroy();
    right.destroy();
  });

  test('[TC-03] holds one window for a reader that does not read, and goes on when it does', async () => {
    const [left, right] = createMemoryByteStreams(WINDOW);
    const chunk = Buffer.alloc(PIECE, 'x');
    for (let index = 0; index < 100; index += 1) left.write(chunk);
    left.end();
    await turns(200);
    expect(right.readableLength).toBeGreaterThanOrEqual(WINDOW);
    expect(right.readableLength).toBeLessThanOrEqual(WINDOW + PIECE);
    expect(left.writableLength).toBe(100 * PIECE - right.readableLength);
    right.end();
    left.resume();
    expect((await read(right)).length).toBe(100 * PIECE);
  });

  test('[TC-05] can be half closed: the other direction goes on', async () => {
    const [left, right] = createMemoryByteStreams(WINDOW);
    left.end('question');
    expect((await read(right)).toString()).toBe('question');
    right.end('answer');
    expect((await read(left)).toString()).toBe('answer');
  });

  test('[TC-13] a reset lets the peer read what had arrived, then fails', async () => {
    const [left, right] = createMemoryByteStreams(WINDOW);
    left.write('arrived');
    await turns(2);
    left.write(Buffer.alloc(2 * WINDOW));
    left.destroy();
    await once(left, 'close');
    await turns(2);
    expect(endErrorOf(right)?.code).toBe('XMPP_PEER_RESET');
    const text = (await read(right)).toString();
    expect(text.startsWith('arrived')).toBe(true);
  });

  test('[TC-04] a peer that has gone does not hold up the writer', async () => {
    const [left, right] = createMemoryByteStreams(WINDOW);
    left.write(Buffer.alloc(10 * WINDOW));
    await turns(3);
    right.destroy();
    left.end();
    left.resume();
    await once(left, 'close');
    expect(endErrorOf(left)?.code).toBe('XMPP_PEER_RESET');
  });
});
