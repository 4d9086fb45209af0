import dgram from 'node:dgram';
import { once } from 'node:events';
import { parseLongHeader, readVarint } from '../../src/endpoint/packet-header.ts';
import { forgeInitial, frame } from '../engine/packet-forge.ts';
import { closeCodeIn, framesOf } from './initial-frames.ts';
import { RawQuicClient } from './raw-quic-client.ts';

const CRYPTO = 0x06;
/** The ALPN extension (RFC 7301 §3.1), and a type that means nothing (RFC 8701). */
const ALPN_TYPE = Buffer.from([0, 16]);
const GREASE_TYPE = Buffer.from([0xfa, 0xfa]);

/** A TLS stack makes no such hello for QUIC: a genuine one has its ALPN extension renamed. @returns the close code. */
export async function codeForHelloWithoutAlpn(port: number): Promise<number> {
  const client = await RawQuicClient.start({ port: 9 });
  const [genuine] = client.sent as [Buffer];
  await client.stop();
  const destinationConnectionId = parseLongHeader(genuine)?.destinationConnectionId as Uint8Array;
  const frames = framesOf(genuine, destinationConnectionId, 'client');
  if (frames[0] !== CRYPTO) throw new Error('the hello is not in the first frame');
  const offset = readVarint(frames, 1) as { value: number; end: number };
  const length = readVarint(frames, offset.end) as { value: number; end: number };
  const hello = Buffer.from(frames.subarray(length.end, length.end + length.value));
  const name = hello.indexOf('xmpp-client');
  // Type, length, length of the list, length of the name: seven bytes before the name itself.
  const type = hello.subarray(name - 7, name - 5);
  if (!type.equals(ALPN_TYPE)) throw new Error('the extension is not where it should be');
  GREASE_TYPE.copy(type);

  const socket = dgram.createSocket('udp4');
  try {
    const received = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(forgeInitial({ destinationConnectionId, frames: [frame.crypto(0, hello)] }), port, '127.0.0.1');
    const [answer] = await received;
    return closeCodeIn(answer, destinationConnectionId);
  } finally {
    socket.close();
  }
}
