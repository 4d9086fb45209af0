import { once } from 'node:events';
import { expect, test } from 'vitest';
import { type EngineConnection, EngineError } from './engine/port.ts';
import { type ByteStreamHost, QuicByteStream } from './quic-byte-stream.ts';
import { ReadSlab } from './read-slab.ts';

/** The engine writes what it is told to, also behind a reset, and packets hide the order: so it is played here. */
function stage() {
  const calls: string[] = [];
  const engine = {
    read: () => {
      throw new EngineError('stream-reset', 'reset by the peer', 7);
    },
    write: (_streamId: number, bytes: Uint8Array, fin: boolean) => {
      calls.push(`write ${bytes.length}${fin ? ' FIN' : ''}`);
      return fin ? 1 : bytes.length;
    },
    resetWriting: (_streamId: number, code: number) => calls.push(`reset ${code}`),
    stopReading: () => calls.push('stop'),
  } as unknown as EngineConnection;
  const host: ByteStreamHost = {
    engine,
    slab: new ReadSlab(),
    mark: () => undefined,
    markForInput: () => undefined,
    awaitWritable: () => undefined,
    mustWait: () => false,
    delivered: () => undefined,
    onFinished: () => calls.push('finished'),
  };
  return { stream: new QuicByteStream(0, host), calls };
}

test('[QT-13] a stream that the peer has reset is reset in return, and nothing is written behind that (RFC 9000 §3.3)', async () => {
  const { stream, calls } = stage();
  // A stanza stream ends its half as soon as the bytes have failed.
  stream.on('stanzaport:failed', () => stream.end());
  stream.resume();
  await once(stream, 'resume');
  stream.onReadable();
  await once(stream, 'finish');
  expect(calls.filter((call) => call !== 'finished')).toEqual(['reset 1']);
});
