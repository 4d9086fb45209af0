import { describe, expect, test } from 'vitest';
import { type BlockedStream, BlockedStreams } from './blocked-streams.ts';

/** A stream with `bytes` left to write to an engine that has `room` for all of its streams together. */
class Writer implements BlockedStream {
  readonly name: string;
  readonly urgency: number;
  readonly #engine: { room: number; readonly taken: string[] };
  #bytes: number;

  constructor(engine: { room: number; readonly taken: string[] }, name: string, bytes: number, urgency = 3) {
    this.#engine = engine;
    this.name = name;
    this.#bytes = bytes;
    this.urgency = urgency;
  }

  get isBlocked(): boolean {
    return this.#bytes > 0;
  }

  onWritable(): boolean {
    const taken = Math.min(this.#engine.room, this.#bytes);
    this.#engine.room -= taken;
    this.#bytes -= taken;
    if (taken > 0) this.#engine.taken.push(`${this.name}${taken}`);
    return taken > 0;
  }
}

function blockedOf(writers: readonly Writer[]): BlockedStreams {
  const blocked = new BlockedStreams();
  for (const writer of writers) {
    blocked.onUrgency(writer.urgency);
    blocked.add(writer);
  }
  return blocked;
}

describe('streams that wait for room', () => {
  test('[QT-10] of one urgency get it in turn, so that none starves', () => {
    const engine = { room: 0, taken: [] as string[] };
    const blocked = blockedOf(['a', 'b', 'c'].map((name) => new Writer(engine, name, 20)));
    for (let turn = 0; turn < 6; turn++) {
      engine.room = 10;
      blocked.resume();
    }
    expect(engine.taken).toEqual(['a10', 'b10', 'c10', 'a10', 'b10', 'c10']);
    expect(blocked.size).toBe(0);
  });

  test('[QT-10] what the first leaves is for the others, and who got nothing keeps its place', () => {
    const engine = { room: 0, taken: [] as string[] };
    const blocked = blockedOf([new Writer(engine, 'a', 4), new Writer(engine, 'b', 20), new Writer(engine, 'c', 20)]);
    for (let turn = 0; turn < 3; turn++) {
      engine.room = 10;
      blocked.resume();
    }
    expect(engine.taken).toEqual(['a4', 'b6', 'c10', 'b10']);
  });

  test('[Q-17] the more urgent get all of it first (RFC 9218 §4.1)', () => {
    const engine = { room: 0, taken: [] as string[] };
    const low = new Writer(engine, 'low', 20, 7);
    const blocked = blockedOf([low, new Writer(engine, 'usual', 20), new Writer(engine, 'high', 25, 0)]);
    expect(blocked.comesAfter(low)).toBe(true);
    for (let turn = 0; turn < 7; turn++) {
      engine.room = 10;
      blocked.resume();
    }
    expect(engine.taken).toEqual(['high10', 'high10', 'high5', 'usual5', 'usual10', 'usual5', 'low5', 'low10', 'low5']);
    expect(blocked.comesAfter(low)).toBe(false);
  });
});
