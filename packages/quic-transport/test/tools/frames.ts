import { readVarint } from '../../src/endpoint/packet-header.ts';

/** A frame (RFC 9000 §19): its type, its integers in order, and its bytes where it ends in some. */
export interface Frame {
  readonly type: number;
  readonly numbers: readonly number[];
  readonly bytes: Uint8Array;
}

export const FRAME = { newToken: 0x07, newConnectionId: 0x18, closeTransport: 0x1c, closeApplication: 0x1d } as const;

const ACK = [0x02, 0x03];
/** Integers of the frames that consist of integers only. */
const INTEGERS: Readonly<Record<number, number>> = {
  0: 0,
  1: 0,
  4: 3,
  5: 2,
  16: 1,
  17: 2,
  18: 1,
  19: 1,
  20: 1,
  21: 2,
  22: 1,
  23: 1,
  25: 1,
  30: 0,
};
const RESET_TOKEN_BYTES = 16;
const PATH_DATA_BYTES = 8;

/** The frames of a packet. @throws Error for what is no frame of version 1. */
export function parseFrames(payload: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  let offset = 0;
  const integer = (): number => {
    const read = readVarint(payload, offset);
    if (read === null) throw new Error('a truncated frame');
    offset = read.end;
    return read.value;
  };
  const integers = (count: number): number[] => Array.from({ length: count }, integer);
  const take = (count: number): Uint8Array => {
    offset += count;
    return payload.subarray(offset - count, offset);
  };
  while (offset < payload.length) {
    const type = integer();
    const count = INTEGERS[type];
    if (count !== undefined) {
      frames.push({ type, numbers: integers(count), bytes: take(0) });
    } else if (ACK.includes(type)) {
      const numbers = integers(4);
      numbers.push(...integers(2 * (numbers[2] as number) + (type === ACK[1] ? 3 : 0)));
      frames.push({ type, numbers, bytes: take(0) });
    } else if (type === 0x06) {
      const numbers = integers(2);
      frames.push({ type, numbers, bytes: take(numbers[1] as number) });
    } else if (type === FRAME.newToken) {
      frames.push({ type, numbers: [], bytes: take(integer()) });
    } else if (type >= 0x08 && type <= 0x0f) {
      const numbers = integers((type & 4) === 0 ? 1 : 2);
      frames.push({ type, numbers, bytes: take((type & 2) === 0 ? payload.length - offset : integer()) });
    } else if (type === FRAME.newConnectionId) {
      const numbers = integers(2);
      const bytes = take(take(1)[0] as number);
      take(RESET_TOKEN_BYTES);
      frames.push({ type, numbers, bytes });
    } else if (type === 0x1a || type === 0x1b) {
      frames.push({ type, numbers: [], bytes: take(PATH_DATA_BYTES) });
    } else if (type === FRAME.closeTransport || type === FRAME.closeApplication) {
      const numbers = integers(type === FRAME.closeTransport ? 2 : 1);
      frames.push({ type, numbers, bytes: take(integer()) });
    } else {
      throw new Error(`no frame: 0x${type.toString(16)}`);
    }
  }
  return frames;
}
