import { isAscii, isUtf8 } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { Utf8Gate } from '../../src/xml/utf8.ts';
import { cut } from './documents.ts';
import { Random } from './record.ts';

interface Outcome {
  readonly through: Buffer;
  readonly isBroken: boolean;
  readonly held: number;
}

function pass(pieces: readonly Uint8Array[]): Outcome {
  const gate = new Utf8Gate();
  const runs = pieces.flatMap((piece) => gate.push(Buffer.from(piece)));
  const isWrong = runs.some(
    (run) => run.bytes.length === 0 || !isUtf8(run.bytes) || (run.isAscii && !isAscii(run.bytes)),
  );
  if (isWrong) throw new Error('a run that is empty, invalid, or not what it says');
  return { through: Buffer.concat(runs.map(({ bytes }) => bytes)), isBroken: gate.isBroken, held: gate.heldBytes };
}

/** Inputs on which the gate and brute force differ. */
class Differences {
  readonly found: string[] = [];

  check(pieces: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(pieces);
    const seen = pass(pieces);
    const right = expected(bytes);
    const isSame = seen.through.equals(right.through) && seen.isBroken === right.isBroken && seen.held === right.held;
    if (!isSame) this.found.push(pieces.map((piece) => Buffer.from(piece).toString('hex')).join(' '));
  }
}

/** What can follow the beginning of a sequence: one second byte of each range, then continuation bytes. */
const CONTINUATIONS = [[0x80], [0x80, 0x80], [0x80, 0x80, 0x80], [0x90, 0x80], [0x90, 0x80, 0x80], [0xa0, 0x80]];

/** The same by brute force: the longest valid prefix, and whether anything could make the rest valid. */
function expected(bytes: Buffer): Outcome {
  let length = bytes.length;
  while (!isUtf8(bytes.subarray(0, length))) length--;
  const rest = bytes.subarray(length);
  const canBecomeValid =
    rest.length === 0 || (rest.length < 4 && CONTINUATIONS.some((more) => isUtf8(Buffer.from([...rest, ...more]))));
  return { through: bytes.subarray(0, length), isBroken: !canBecomeValid, held: canBecomeValid ? rest.length : 0 };
}

describe('the UTF-8 gate', () => {
  test('[XML-12] every beginning of a sequence is judged as by the platform, at its first wrong byte', () => {
    const differences = new Differences();
    for (let first = 0; first < 256; first++) {
      differences.check([Buffer.of(first)]);
      for (let second = first < 0x80 ? 256 : 0; second < 256; second++) {
        differences.check([Buffer.of(first, second)]);
        for (const third of first < 0xe0 ? [] : [0x20, 0x80, 0xc0]) {
          differences.check([Buffer.of(first, second, third)]);
          differences.check([Buffer.of(first, second), Buffer.of(third, 0x80)]);
        }
      }
    }
    expect(differences.found).toEqual([]);
  });

  test('[XML-12] 10,000 random strings of bytes, whole and in random pieces', () => {
    const random = new Random(12);
    const differences = new Differences();
    const parts = ['a', 'é', '€', '😀', '\u0800', '\ud7ff', '\ue000', '\u{10ffff}', '\u{10000}'].map((text) =>
      Buffer.from(text),
    );
    for (let count = 0; count < 10_000; count++) {
      const bytes = Buffer.concat(
        Array.from({ length: 1 + random.below(8) }, () =>
          random.chance(6) ? Buffer.of(random.below(256)) : random.pick(parts),
        ),
      );
      const part = bytes.subarray(0, random.chance(3) ? random.below(bytes.length) : bytes.length);
      differences.check([part]);
      differences.check(cut(part, random));
    }
    expect(differences.found).toEqual([]);
  });
});
