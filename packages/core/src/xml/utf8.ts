import { isAscii, isUtf8 } from 'node:buffer';

/** A run of whole, valid UTF-8 sequences. */
export interface Utf8Run {
  readonly bytes: Buffer;
  readonly isAscii: boolean;
  /** The one behind it in the queue of its reader. */
  next: Utf8Run | null;
}

const NONE: readonly Utf8Run[] = Object.freeze([]);
const NO_BYTES: Buffer = Buffer.alloc(0);

/**
 * Checks UTF-8 strictly (RFC 3629: nothing overlong, no surrogates, nothing beyond U+10FFFF) across chunk borders.
 * What is behind it only ever sees whole characters: a sequence that a chunk border cuts is held back until complete.
 */
export class Utf8Gate {
  #held: Buffer = NO_BYTES;
  #isBroken = false;

  /** An invalid byte has come; what was valid before it has been let through, nothing more will be. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Bytes held back, at most 3. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Gives what may be read on: at most one sequence completed from before, and the rest of the chunk; no run is empty. */
  push(chunk: Buffer): readonly Utf8Run[] {
    if (this.#isBroken || chunk.length === 0) return NONE;
    if (this.#held.length > 0) return this.#complete(chunk);
    if (isAscii(chunk)) return [{ bytes: chunk, isAscii: true, next: null }];
    return this.#check(chunk);
  }

  /** Completes the sequence held back with the first bytes of `chunk`. */
  #complete(chunk: Buffer): readonly Utf8Run[] {
    const held = this.#held;
    const joined = Buffer.concat([held, chunk.subarray(0, 4 - held.length)]);
    const { end, status } = scanSequence(joined, 0);
    if (status === 'partial') {
      this.#held = joined;
      return NONE;
    }
    if (status === 'invalid') return this.#break(joined, 0);
    this.#held = NO_BYTES;
    const sequence = { bytes: joined.subarray(0, end), isAscii: false, next: null };
    return [sequence, ...this.push(chunk.subarray(end - held.length))];
  }

  #check(chunk: Buffer): readonly Utf8Run[] {
    const border = startOfPartialTail(chunk);
    const whole = border === chunk.length ? chunk : chunk.subarray(0, border);
    if (!isUtf8(whole)) return this.#break(chunk, endOfValid(whole));
    // Copied: three bytes are not to keep a whole chunk in memory.
    if (border < chunk.length) this.#held = Buffer.from(chunk.subarray(border));
    return run(whole);
  }

  #break(chunk: Buffer, end: number): readonly Utf8Run[] {
    this.#isBroken = true;
    this.#held = NO_BYTES;
    return run(chunk.subarray(0, end));
  }
}

function run(bytes: Buffer): readonly Utf8Run[] {
  return bytes.length === 0 ? NONE : [{ bytes, isAscii: false, next: null }];
}

/** Where a sequence that is valid so far, but not complete, begins at the end of `bytes`; their length if none does. */
function startOfPartialTail(bytes: Uint8Array): number {
  for (let index = bytes.length - 1; index >= 0 && index >= bytes.length - 3; index--) {
    if (((bytes[index] as number) & 0xc0) !== 0x80) {
      return scanSequence(bytes, index).status === 'partial' ? index : bytes.length;
    }
  }
  return bytes.length;
}

function endOfValid(bytes: Uint8Array): number {
  let index = 0;
  for (;;) {
    if (index === bytes.length) return index;
    const { end, status } = scanSequence(bytes, index);
    if (status !== 'whole') return index;
    index = end;
  }
}

/** Judges the one sequence that begins at `start` by table 3-7 of the Unicode standard. */
function scanSequence(bytes: Uint8Array, start: number): { end: number; status: 'whole' | 'partial' | 'invalid' } {
  const first = bytes[start] as number;
  if (first < 0x80) return { end: start + 1, status: 'whole' };
  if (first < 0xc2 || first > 0xf4) return { end: start, status: 'invalid' };
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let offset = 1; offset < length; offset++) {
    const byte = bytes[start + offset];
    if (byte === undefined) return { end: start, status: 'partial' };
    const [least, most] = offset === 1 ? secondByteRange(first) : [0x80, 0xbf];
    if (byte < least || byte > most) return { end: start, status: 'invalid' };
  }
  return { end: start + length, status: 'whole' };
}

function secondByteRange(first: number): readonly [number, number] {
  if (first === 0xe0) return [0xa0, 0xbf];
  if (first === 0xed) return [0x80, 0x9f];
  if (first === 0xf0) return [0x90, 0xbf];
  if (first === 0xf4) return [0x80, 0x8f];
  return [0x80, 0xbf];
}
