import { initialKeys, openPacket } from '../../src/endpoint/initial-protection.ts';
import { parseLongHeader, readVarint } from '../../src/endpoint/packet-header.ts';

const CONNECTION_CLOSE = 0x1c;

/** The frames of the first Initial packet in a datagram. @param keyedBy the client's first destination ID. */
export function framesOf(datagram: Uint8Array, keyedBy: Uint8Array, side: 'client' | 'server'): Uint8Array {
  const header = parseLongHeader(datagram);
  if (header === null) throw new Error('not a long header');
  const packet = datagram.subarray(header.start, header.end);
  const opened = openPacket(initialKeys(keyedBy, side), packet, header.packetNumberOffset);
  if (opened === null) throw new Error('not authentic');
  return opened.payload;
}

/** The code of the CONNECTION_CLOSE with which a server answered the Initial to `keyedBy`. */
export function closeCodeIn(answer: Uint8Array, keyedBy: Uint8Array): number {
  const said = framesOf(answer, keyedBy, 'server');
  const code = said[0] === CONNECTION_CLOSE ? readVarint(said, 1) : null;
  if (code === null) throw new Error('no CONNECTION_CLOSE');
  return code.value;
}
