import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/** Who seals: client and server have keys of their own (RFC 9001 §5.2). */
export type PacketSide = 'client' | 'server';

/** Keys of one direction for AEAD_AES_128_GCM and its header protection (RFC 9001 §5.1). */
export interface PacketKeys {
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
  readonly headerProtection: Uint8Array;
}

/** A packet whose protection was taken off. */
export interface OpenedPacket {
  /** As encoded in the packet, that is its low 8 to 32 bits; the whole number in a client's first flight. */
  readonly packetNumber: number;
  readonly payload: Uint8Array;
}

const INITIAL_SALT = Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex');
const TAG_BYTES = 16;
const SAMPLE_BYTES = 16;

const CLIENT_IN = hkdfLabel('client in', 32);
const SERVER_IN = hkdfLabel('server in', 32);
const QUIC_KEY = hkdfLabel('quic key', 16);
const QUIC_IV = hkdfLabel('quic iv', 12);
const QUIC_HP = hkdfLabel('quic hp', 16);

/** Initial keys of version 1. @param destinationConnectionId that of the client's Initial this belongs to. */
export function initialKeys(destinationConnectionId: Uint8Array, side: PacketSide): PacketKeys {
  const initialSecret = hmac(INITIAL_SALT, destinationConnectionId);
  return packetKeys(hmac(initialSecret, side === 'client' ? CLIENT_IN : SERVER_IN));
}

/** Keys of a traffic secret of 32 bytes (TLS_AES_128_GCM_SHA256). */
export function packetKeys(secret: Uint8Array): PacketKeys {
  return {
    key: hmac(secret, QUIC_KEY).subarray(0, 16),
    iv: hmac(secret, QUIC_IV).subarray(0, 12),
    headerProtection: hmac(secret, QUIC_HP).subarray(0, 16),
  };
}

/**
 * Takes off header and packet protection (RFC 9001 §5.3, §5.4); `packet` stays as it is.
 * @param packet exactly one packet. @returns null when it is not authentic or too short.
 */
export function openPacket(keys: PacketKeys, packet: Uint8Array, packetNumberOffset: number): OpenedPacket | null {
  if (packet.length < packetNumberOffset + 4 + SAMPLE_BYTES) return null;
  const mask = headerMask(keys, packet, packetNumberOffset);
  const first = (packet[0] as number) ^ ((mask[0] as number) & protectedBits(packet));
  const headerEnd = packetNumberOffset + (first & 3) + 1;
  const header = new Uint8Array(packet.subarray(0, headerEnd));
  header[0] = first;
  let packetNumber = 0;
  for (let index = packetNumberOffset; index < headerEnd; index++) {
    header[index] = (header[index] as number) ^ (mask[1 + index - packetNumberOffset] as number);
    packetNumber = packetNumber * 256 + (header[index] as number);
  }
  const tagOffset = packet.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-128-gcm', keys.key, nonce(keys.iv, packetNumber));
  decipher.setAAD(header);
  decipher.setAuthTag(packet.subarray(tagOffset));
  const payload = decipher.update(packet.subarray(headerEnd, tagOffset));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return { packetNumber, payload };
}

/**
 * Seals one packet. @param header the header in clear, packet number included, with the Length field counting the tag.
 * @param payload at least 4 bytes less the length of the packet number, so that there is a sample (RFC 9001 §5.4.2).
 */
export function sealPacket(keys: PacketKeys, header: Uint8Array, payload: Uint8Array): Uint8Array {
  const packetNumberBytes = ((header[0] as number) & 3) + 1;
  const packetNumberOffset = header.length - packetNumberBytes;
  let packetNumber = 0;
  for (const byte of header.subarray(packetNumberOffset)) packetNumber = packetNumber * 256 + byte;
  const cipher = createCipheriv('aes-128-gcm', keys.key, nonce(keys.iv, packetNumber));
  cipher.setAAD(header);
  const packet = Buffer.concat([header, cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
  const mask = headerMask(keys, packet, packetNumberOffset);
  packet[0] = (packet[0] as number) ^ ((mask[0] as number) & protectedBits(packet));
  for (let index = 0; index < packetNumberBytes; index++) {
    const at = packetNumberOffset + index;
    packet[at] = (packet[at] as number) ^ (mask[1 + index] as number);
  }
  return packet;
}

/** Long headers hide four bits of the first byte, short ones five (RFC 9001 §5.4.1). */
function protectedBits(packet: Uint8Array): number {
  return ((packet[0] as number) & 0x80) !== 0 ? 0x0f : 0x1f;
}

/** The sample is taken as if the packet number had four bytes (RFC 9001 §5.4.2). */
function headerMask(keys: PacketKeys, packet: Uint8Array, packetNumberOffset: number): Uint8Array {
  const sample = packet.subarray(packetNumberOffset + 4, packetNumberOffset + 4 + SAMPLE_BYTES);
  return createCipheriv('aes-128-ecb', keys.headerProtection, null).update(sample);
}

function nonce(iv: Uint8Array, packetNumber: number): Uint8Array {
  const bytes = Buffer.from(iv);
  bytes.writeUInt32BE((bytes.readUInt32BE(8) ^ packetNumber) >>> 0, 8);
  return bytes;
}

function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(data).digest();
}

/** HkdfLabel (RFC 8446 §7.1) with the counter of HKDF-Expand's only block (RFC 5869 §2.3). */
function hkdfLabel(name: string, bytes: number): Uint8Array {
  const label = Buffer.from(`tls13 ${name}`);
  return Buffer.concat([Uint8Array.of(bytes >> 8, bytes & 0xff, label.length), label, Uint8Array.of(0, 1)]);
}
