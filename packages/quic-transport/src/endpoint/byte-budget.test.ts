import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type BudgetSource, ByteBudget } from './byte-budget.ts';

/** Packet overhead with a connection ID of 16 bytes. */
const OVERHEAD_BYTES = 1 + 16 + 2 + 16;
const ACK_BYTES = 8;
const STREAM_HEAD_BYTES = 8;

/** A budget and the peer that is held to it. */
class Peer implements BudgetSource {
  packetsReceived = 0;
  bytesReceived = 0;
  streamBytesWritten = 0;
  unreadBytes = 0;
  asked = 0;
  readonly budget: ByteBudget = new ByteBudget(this, true);

  constructor() {
    this.budget.establish();
  }

  stats(): this {
    this.asked += 1;
    return this;
  }

  /** Sends one packet. @returns whether it may. */
  send(payloadBytes: number, streamBytes = 0): boolean {
    const bytes = OVERHEAD_BYTES + payloadBytes + streamBytes;
    this.packetsReceived += 1;
    this.bytesReceived += bytes;
    const allowed = this.budget.receive(bytes);
    this.budget.deliver(streamBytes);
    return allowed;
  }
}

const DAY_SECONDS = 86_400;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('[TC-12] an honest peer is never taken for another', () => {
  test('a million stanzas of 30 bytes, each in a packet of its own that acknowledges an answer', () => {
    const peer = new Peer();
    for (let count = 0; count < 1_000_000; count++) {
      peer.streamBytesWritten += 30;
      if (!peer.send(ACK_BYTES + STREAM_HEAD_BYTES, 30)) throw new Error(`ended after ${count}`);
    }
    // The engine takes microseconds to tell, and is asked seldom.
    expect(peer.asked).toBeLessThan(1_000);
  });

  test('one that only reads: an acknowledgement for each second packet of a gigabyte', () => {
    const peer = new Peer();
    for (let count = 0; count < 400_000; count++) {
      peer.streamBytesWritten += 2 * 1_300;
      if (!peer.send(20)) throw new Error(`ended after ${count}`);
    }
    expect(peer.asked).toBeLessThan(1_000);
  });

  test('a hundred megabytes, every one of them sent twice', () => {
    const peer = new Peer();
    for (let count = 0; count < 80_000; count++) {
      if (!peer.send(STREAM_HEAD_BYTES, 1_250) || !peer.send(STREAM_HEAD_BYTES + 1_250)) {
        throw new Error(`ended after ${count}`);
      }
    }
  });

  test('a month of PINGs every 15 seconds, of whitespace every minute, and another path each half hour', () => {
    const peer = new Peer();
    for (let second = 0; second < 30 * DAY_SECONDS; second += 15) {
      vi.advanceTimersByTime(15_000);
      const isMinute = second % 60 === 0;
      const isHalfHour = second % 1_800 === 0;
      const allowed =
        peer.send(4) && (!isMinute || peer.send(STREAM_HEAD_BYTES, 1)) && (!isHalfHour || peer.send(2_400));
      if (!allowed) throw new Error(`ended after ${second / DAY_SECONDS} days`);
    }
  });

  test('full windows of streams whose readers have paused', () => {
    const peer = new Peer();
    peer.unreadBytes = 16 * 262_144;
    for (let bytes = 0; bytes < peer.unreadBytes; bytes += 1_250)
      expect(peer.send(STREAM_HEAD_BYTES + 1_250)).toBe(true);
  });

  test('datagrams of strangers with its connection ID on them are forgiven', () => {
    const peer = new Peer();
    for (let count = 0; count < 2_000; count++) expect(peer.budget.receive(1_200)).toBe(true);
    expect(peer.send(ACK_BYTES)).toBe(true);
  });
});

describe('[TC-12] a hostile one is', () => {
  /** How many bytes it sent before it was ended. */
  function untilEnded(peer: Peer, send: () => boolean): number {
    while (peer.bytesReceived < 50_000_000) if (!send()) return peer.bytesReceived;
    throw new Error('never ended');
  }

  test('in large packets', () => {
    const peer = new Peer();
    expect(untilEnded(peer, () => peer.send(1_200))).toBeLessThan(300_000);
  });

  test('in small ones', () => {
    const peer = new Peer();
    expect(untilEnded(peer, () => peer.send(20))).toBeLessThan(900_000);
  });

  test('when it has earned something before: not much more than that', () => {
    const peer = new Peer();
    for (let count = 0; count < 1_000; count++) peer.send(STREAM_HEAD_BYTES, 1_000);
    const earned = peer.bytesReceived;
    expect(untilEnded(peer, () => peer.send(1_200)) - earned).toBeLessThan(1_400_000);
  });
});
