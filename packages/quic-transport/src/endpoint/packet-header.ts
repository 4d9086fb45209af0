/** QUIC version 1 (RFC 9000), the only one spoken here. */
export const QUIC_VERSION_1 = 1;

/** Longest connection ID of QUIC version 1, in bytes (RFC 9000 §17.2). */
export const MAX_CONNECTION_ID_BYTES = 20;

/** Smallest datagram that may carry an Initial packet, in bytes (RFC 9000 §14.1). */
export const MIN_INITIAL_DATAGRAM_BYTES = 1200;

/** Smallest Destination Connection ID of a client's first Initial, in bytes (RFC 9000 §7.2). */
export const MIN_INITIAL_DCID_BYTES = 8;

/** Packet types of version 1 (RFC 9000 §17.2), and what else has a long header (RFC 8999 §5.1, §6). */
export type LongPacketType = 'initial' | '0-rtt' | 'handshake' | 'retry' | 'version-negotiation' | 'other-version';

/** What can be read of a long header without keys. The byte fields are views into the datagram. */
export interface LongHeader {
  readonly type: LongPacketType;
  readonly version: number;
  readonly destinationConnectionId: Uint8Array;
  readonly sourceConnectionId: Uint8Array;
  /** Token of an Initial or Retry; empty on every other packet. */
  readonly token: Uint8Array;
  /** Where the packet begins in the datagram. */
  readonly start: number;
  /** Where the packet number begins; `end` on packets that have none. */
  readonly packetNumberOffset: number;
  /** Where the packet ends; another may follow (RFC 9000 §12.2). */
  readonly end: number;
}

const NO_BYTES = new Uint8Array(0);

const VERSION_1_TYPES = ['initial', '0-rtt', 'handshake', 'retry'] as const;

const RETRY_INTEGRITY_TAG_BYTES = 16;

/** Whether the packet has a long header (RFC 8999 §5.1). */
export function isLongHeader(datagram: Uint8Array): boolean {
  return ((datagram[0] ?? 0) & 0x80) !== 0;
}

/**
 * Reads the long header of the packet that begins at `start`.
 * @returns null for a short header and for anything malformed, truncated, or forbidden in version 1.
 */
export function parseLongHeader(datagram: Uint8Array, start = 0): LongHeader | null {
  const first = datagram[start] ?? 0;
  const dcidEnd = start + 6 + (datagram[start + 5] ?? 0);
  const scidEnd = dcidEnd + 1 + (datagram[dcidEnd] ?? 0);
  if ((first & 0x80) === 0 || datagram.length < start + 7 || dcidEnd >= datagram.length) return null;
  if (scidEnd > datagram.length) return null;
  const version = readUint32(datagram, start + 1);
  const destinationConnectionId = datagram.subarray(start + 6, dcidEnd);
  const sourceConnectionId = datagram.subarray(dcidEnd + 1, scidEnd);
  const common = { version, destinationConnectionId, sourceConnectionId, start };
  if (version !== QUIC_VERSION_1) {
    const type = version === 0 ? 'version-negotiation' : 'other-version';
    const end = datagram.length;
    return { ...common, type, token: NO_BYTES, packetNumberOffset: end, end };
  }
  // RFC 9000 §17.2: discard where the Fixed Bit is 0 or a connection ID is longer than 20 bytes.
  if ((first & 0x40) === 0) return null;
  if (destinationConnectionId.length > MAX_CONNECTION_ID_BYTES) return null;
  if (sourceConnectionId.length > MAX_CONNECTION_ID_BYTES) return null;
  const type = VERSION_1_TYPES[((first >> 4) & 3) as 0 | 1 | 2 | 3];
  if (type === 'retry') {
    const end = datagram.length;
    if (end - scidEnd < RETRY_INTEGRITY_TAG_BYTES) return null;
    const token = datagram.subarray(scidEnd, end - RETRY_INTEGRITY_TAG_BYTES);
    return { ...common, type, token, packetNumberOffset: end, end };
  }
  let offset = scidEnd;
  let token: Uint8Array = NO_BYTES;
  if (type === 'initial') {
    const tokenLength = readVarint(datagram, offset);
    if (tokenLength === null || tokenLength.end + tokenLength.value > datagram.length) return null;
    offset = tokenLength.end + tokenLength.value;
    token = datagram.subarray(tokenLength.end, offset);
  }
  const length = readVarint(datagram, offset);
  if (length === null || length.end + length.value > datagram.length) return null;
  return { ...common, type, token, packetNumberOffset: length.end, end: length.end + length.value };
}

/** Whether a datagram holds one packet of the Handshake space, and nothing else (RFC 9000 §17.2.4). */
export function isLoneHandshakePacket(datagram: Uint8Array): boolean {
  const header = isLongHeader(datagram) ? parseLongHeader(datagram) : null;
  return header?.type === 'handshake' && header.end === datagram.length;
}

/**
 * The Destination Connection ID as a key for a routing table, equal to {@link connectionIdKey} of its bytes. Cheap: it
 * is taken of every datagram. @param shortHeaderIdBytes length of the IDs we issue, which short headers do not tell.
 * @returns null when the datagram is too short to hold one.
 */
export function destinationConnectionIdKey(datagram: Buffer, shortHeaderIdBytes: number): string | null {
  if (isLongHeader(datagram)) {
    const end = 6 + (datagram[5] ?? 0);
    return end > datagram.length ? null : datagram.toString('latin1', 6, end);
  }
  const end = 1 + shortHeaderIdBytes;
  return end > datagram.length ? null : datagram.toString('latin1', 1, end);
}

/** A connection ID as a key: one character a byte. */
export function connectionIdKey(connectionId: Uint8Array): string {
  return Buffer.from(connectionId.buffer, connectionId.byteOffset, connectionId.byteLength).toString('latin1');
}

/** A variable-length integer (RFC 9000 §16) and where it ends. */
export interface Varint {
  readonly value: number;
  readonly end: number;
}

/** @returns null where it is truncated or above 2^53-1, which no length in a datagram can be. */
export function readVarint(bytes: Uint8Array, offset: number): Varint | null {
  const first = bytes[offset];
  if (first === undefined) return null;
  const end = offset + (1 << (first >> 6));
  if (end > bytes.length) return null;
  let value = first & 0x3f;
  for (let index = offset + 1; index < end; index++) value = value * 256 + (bytes[index] as number);
  return value > Number.MAX_SAFE_INTEGER ? null : { value, end };
}

/** @param value whole and from 0 to 2^53-1. */
export function encodeVarint(value: number): Uint8Array {
  if (value < 2 ** 6) return Uint8Array.of(value);
  if (value < 2 ** 14) return Uint8Array.of(0x40 | (value >> 8), value & 0xff);
  const encoded = Buffer.alloc(value < 2 ** 30 ? 4 : 8);
  if (encoded.length === 4) encoded.writeUInt32BE(value);
  else encoded.writeBigUInt64BE(BigInt(value));
  encoded[0] = (encoded[0] as number) | (encoded.length === 4 ? 0x80 : 0xc0);
  return encoded;
}

function readUint32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset);
}
