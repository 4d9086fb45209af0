import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  datagramFrameHead,
  drainingFrame,
  type HandOverFrame,
  HandOverReader,
  helloFrame,
  readyFrame,
} from './hand-over-frames.ts';

const HANDED = {
  datagram: randomBytes(1_350),
  remoteAddress: '2001:db8::c001:cafe',
  remotePort: 65_535,
  localAddress: '192.0.2.1',
};
const EMPTY = { ...HANDED, datagram: Buffer.alloc(0), localAddress: '' };
const BYTES = Buffer.concat([
  helloFrame(255),
  datagramFrameHead(HANDED),
  HANDED.datagram,
  readyFrame(),
  drainingFrame(),
  datagramFrameHead(EMPTY),
]);
const FRAMES: readonly HandOverFrame[] = [
  { type: 'hello', number: 255 },
  { type: 'datagram', ...HANDED },
  { type: 'ready' },
  { type: 'draining' },
  { type: 'datagram', ...EMPTY },
];

describe('what workers say to each other', () => {
  for (const step of [1, 2, 3, 7, 100, BYTES.length]) {
    test(`[QT-20] is understood in chunks of ${step} bytes`, () => {
      const reader = new HandOverReader();
      const frames: HandOverFrame[] = [];
      for (let offset = 0; offset < BYTES.length; offset += step) {
        const chunk = Buffer.from(BYTES.subarray(offset, offset + step));
        expect(reader.feed(chunk, (frame) => frames.push(frame))).toBe(true);
      }
      expect(frames).toEqual(FRAMES);
    });
  }

  for (const [what, bytes] of [
    ['an unknown type', Buffer.of(1, 0, 0, 0, 9)],
    ['nothing', Buffer.of(0, 0, 0, 0)],
    ['a hello without a number', Buffer.of(1, 0, 0, 0, 1)],
    ['a datagram without addresses', Buffer.of(1, 0, 0, 0, 3)],
    ['an address beyond the end', Buffer.of(6, 0, 0, 0, 3, 0, 0, 9, 0, 0)],
    ['a length beyond all datagrams', Buffer.of(0, 0, 0, 1)],
  ] as const) {
    test(`[QT-20] bytes that are no frame are no use: ${what}`, () => {
      const frames: HandOverFrame[] = [];
      expect(new HandOverReader().feed(bytes, (frame) => frames.push(frame))).toBe(false);
      expect(frames).toEqual([]);
    });
  }
});
