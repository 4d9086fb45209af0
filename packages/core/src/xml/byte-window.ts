import type { Utf8Run } from './utf8.ts';

/** Smallest buffer for an element that a chunk border cuts, in bytes. */
const SMALLEST_BUFFER = 256;
/** How much of the next chunk is copied behind a cut element at a time: most elements end within it. */
const COPY_STEP = 1_024;

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * What the tokenizer looks at: the bytes of the element in progress, always in one piece, and those that follow.
 *
 * Chunks are read in place. Only an element that a chunk border cuts is copied, into a buffer that doubles, so that
 * even single bytes cost constant time each; reading goes on in the chunk itself as soon as that element is complete.
 */
export class ByteWindow {
  bytes: Buffer = NOTHING;
  /** Where the element in progress begins; everything before is done with. */
  base = 0;
  /** The next byte to be read. */
  position = 0;
  /** Behind the last byte in view. */
  end = 0;
  /** No byte in view is outside ASCII: an offset in bytes is one in characters. */
  isAscii = true;

  /** The inputs that are not in view yet, each with the one behind it. */
  #input: Utf8Run | null = null;
  #lastInput: Utf8Run | null = null;
  /** Bytes of the first input that have been copied into the buffer. */
  #copied = 0;
  #isBuffer = false;

  get retainedBytes(): number {
    let retained = this.end - this.base - this.#copied;
    for (let input = this.#input; input !== null; input = input.next) retained += input.bytes.length;
    return retained;
  }

  /** Adds a run behind everything else. Its bytes must not change afterwards. */
  push(run: Utf8Run): void {
    if (this.#lastInput === null) this.#input = run;
    else this.#lastInput.next = run;
    this.#lastInput = run;
  }

  /** Brings more bytes into view; to be called when all in view were read. False when there are none. */
  refill(): boolean {
    const input = this.#input;
    if (input === null) {
      this.#keep();
      return false;
    }
    if (this.base === this.end) this.#view(this.#copied);
    else this.#append(input);
    return true;
  }

  /** Everything before `position` is done with. */
  release(): void {
    this.base = this.position;
    // The buffer has served: the copy's surplus is read in the chunk it came from.
    if (this.#copied > 0) this.#view(this.#copied - (this.end - this.position));
    else if (this.base === this.end) this.#show(NOTHING, 0, true);
  }

  clear(): void {
    this.#input = null;
    this.#lastInput = null;
    this.#copied = 0;
    this.#show(NOTHING, 0, true);
  }

  text(start: number, end: number): string {
    return this.bytes.toString(this.isAscii ? 'latin1' : 'utf8', start, end);
  }

  /** Reads the first input in place, from `start`. */
  #view(start: number): void {
    const { bytes, isAscii } = this.#input as Utf8Run;
    this.#dropInput();
    this.#copied = 0;
    this.#show(bytes, start, isAscii);
  }

  #show(bytes: Buffer, start: number, isAscii: boolean): void {
    this.bytes = bytes;
    this.base = start;
    this.position = start;
    this.end = bytes.length;
    this.isAscii = isAscii;
    this.#isBuffer = false;
  }

  #append(input: Utf8Run): void {
    const held = this.end - this.base;
    const count = Math.min(input.bytes.length - this.#copied, Math.max(held, COPY_STEP));
    this.#reserve(count);
    input.bytes.copy(this.bytes, this.end, this.#copied, this.#copied + count);
    this.end += count;
    this.isAscii &&= input.isAscii;
    this.#copied += count;
    if (this.#copied === input.bytes.length) {
      this.#dropInput();
      this.#copied = 0;
    }
  }

  #dropInput(): void {
    this.#input = this.#input?.next ?? null;
    if (this.#input === null) this.#lastInput = null;
  }

  /** Nothing more is there: the chunk is let go, only the cut element is kept. */
  #keep(): void {
    if (this.base === this.end) this.#show(NOTHING, 0, true);
    else if (!this.#isBuffer) this.#reserve(0);
  }

  /** Makes the window a buffer of our own with room for `count` more bytes. */
  #reserve(count: number): void {
    if (this.#isBuffer && this.end + count <= this.bytes.length) return;
    const held = this.end - this.base;
    const buffer = Buffer.allocUnsafeSlow(Math.max(SMALLEST_BUFFER, 2 * held, held + count));
    this.bytes.copy(buffer, 0, this.base, this.end);
    this.bytes = buffer;
    this.position -= this.base;
    this.base = 0;
    this.end = held;
    this.#isBuffer = true;
  }
}
