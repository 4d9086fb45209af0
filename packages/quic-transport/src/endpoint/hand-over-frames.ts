/** A datagram that came to the wrong worker, and all that its owner has to know of it. */
export interface HandedDatagram {
  readonly datagram: Buffer;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The address it came to. */
  readonly localAddress: string;
}

/** What workers say to each other. */
export type HandOverFrame =
  /** First of all: who speaks. */
  | { readonly type: 'hello'; readonly number: number }
  /** The sender lets new clients in. */
  | { readonly type: 'ready' }
  /** No longer. */
  | { readonly type: 'draining' }
  | ({ readonly type: 'datagram' } & HandedDatagram);

const HELLO = 1;
const DRAINING = 2;
const DATAGRAM = 3;
const READY = 4;

const LENGTH_BYTES = 4;
/** Type, port, and the lengths of two addresses. */
const FIXED_BYTES = 1 + 2 + 1 + 1;
const MAX_ADDRESS_BYTES = 64;
/** Nothing longer is ever sent; UDP has no datagram beyond 65,535 bytes. */
const MAX_FRAME_BYTES = FIXED_BYTES + 2 * MAX_ADDRESS_BYTES + 65_535;

export function helloFrame(number: number): Buffer {
  return Buffer.of(2, 0, 0, 0, HELLO, number);
}

export function readyFrame(): Buffer {
  return Buffer.of(1, 0, 0, 0, READY);
}

export function drainingFrame(): Buffer {
  return Buffer.of(1, 0, 0, 0, DRAINING);
}

/** What goes before the bytes of the datagram. */
export function datagramFrameHead({ datagram, remoteAddress, remotePort, localAddress }: HandedDatagram): Buffer {
  const addressBytes = localAddress.length + remoteAddress.length;
  const head = Buffer.allocUnsafe(LENGTH_BYTES + FIXED_BYTES + addressBytes);
  head.writeUInt32LE(FIXED_BYTES + addressBytes + datagram.length, 0);
  head[4] = DATAGRAM;
  head.writeUInt16LE(remotePort, 5);
  head[7] = localAddress.length;
  head[8] = remoteAddress.length;
  head.write(localAddress, 9, 'latin1');
  head.write(remoteAddress, 9 + localAddress.length, 'latin1');
  return head;
}

/** Cuts a stream of bytes into frames. */
export class HandOverReader {
  #rest: Buffer | null = null;

  /**
   * @param onFrame is given each frame in order; its bytes are views into `chunk`, which a datagram that is kept would keep as well.
   * @returns false where the bytes are no frames: the stream is of no more use.
   */
  feed(chunk: Buffer, onFrame: (frame: HandOverFrame) => void): boolean {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    let offset = 0;
    while (bytes.length - offset >= LENGTH_BYTES) {
      const start = offset + LENGTH_BYTES;
      const end = start + bytes.readUInt32LE(offset);
      if (end - start > MAX_FRAME_BYTES) return false;
      if (end > bytes.length) break;
      const frame = parse(bytes.subarray(start, end));
      if (frame === null) return false;
      onFrame(frame);
      offset = end;
    }
    this.#rest = offset === bytes.length ? null : bytes.subarray(offset);
    return true;
  }
}

function parse(frame: Buffer): HandOverFrame | null {
  if (frame[0] === HELLO && frame.length === 2) return { type: 'hello', number: frame[1] as number };
  if (frame[0] === READY && frame.length === 1) return { type: 'ready' };
  if (frame[0] === DRAINING && frame.length === 1) return { type: 'draining' };
  if (frame[0] !== DATAGRAM || frame.length < FIXED_BYTES) return null;
  const localEnd = FIXED_BYTES + (frame[3] as number);
  const remoteEnd = localEnd + (frame[4] as number);
  if (remoteEnd > frame.length) return null;
  return {
    type: 'datagram',
    remotePort: frame.readUInt16LE(1),
    localAddress: frame.toString('latin1', FIXED_BYTES, localEnd),
    remoteAddress: frame.toString('latin1', localEnd, remoteEnd),
    datagram: frame.subarray(remoteEnd),
  };
}
