/** Bytes read at once, at most. */
const SLAB_BYTES = 65_536;
/** Below this a read is no longer worth its call; a fresh slab is begun. */
const SMALLEST_SPACE = 8_192;

/**
 * Where what is read from the engine is put. A chunk pushed into a stream belongs to the stream, so no byte of a slab
 * is used twice; cutting many chunks from one allocation is what keeps that cheap.
 */
export class ReadSlab {
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #used = 0;

  /** Size of a slab, in bytes. */
  get bytes(): number {
    return SLAB_BYTES;
  }

  /** Free space to read into. */
  space(): Buffer {
    if (SLAB_BYTES - this.#used < SMALLEST_SPACE) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    return this.#used === 0 ? this.#slab : this.#slab.subarray(this.#used);
  }

  /** Cuts off the first `bytes` of what {@link space} gave. */
  take(bytes: number): Buffer {
    const chunk = this.#slab.subarray(this.#used, this.#used + bytes);
    this.#used += bytes;
    return chunk;
  }
}
