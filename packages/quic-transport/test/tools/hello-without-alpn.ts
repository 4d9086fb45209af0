import dgram from 'node:dgram';
import { once } from 'node:events';
import { initialKeys, openPacket } from '../../src/endpoint/initial-protection.ts';
import { parseLongHeader, readVarint } from '../../src/endpoint/packet-header.ts';
import { forgeInitial, frame } from '../engine/packet-forge.ts';
import { RawQuicClient } from './raw-quic-client.ts';

const CRYPTO = 0x06;
const CONNECTION_CLOSE = 0x1c;
/** The ALPN extension (RFC 7301 §3.1), and a type that means nothing (RFC 8701). */
const ALPN_TYPE = Buffer.from([0, 16]);
const GREASE_TYPE = Buffer.from([0xfa, 0xfa]);

/** Opens the first Initial packet of a datagram; its frames begin with the one of `type`. */
function framesOf(datagram: Buffer, keyedBy: Uint8Array, side: 'client' | 'server'): Uint8Array {
  const header = parseLongHeader(datagram);
  if (header === null) throw new Error('not a long header');
  const packet = datagram.subarray(header.start, header.end);
  const opened = openPacket(initialKeys(keyedBy, side), packet, header.packetNumberOffset);
  if (opened === null) throw new Error('not authentic');
  return opened.payload;
}

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
    const said = framesOf(answer, destinationConnectionId, 'server');
    if (said[0] !== CONNECTION_CLOSE) throw new Error('no CONNECTION_CLOSE');
    return readVarint(said, 1)?.value ?? -1;
  } finally {
    socket.close();
  }
}
