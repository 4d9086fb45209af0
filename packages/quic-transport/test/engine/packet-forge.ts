import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  initialKeys,
  openPacket,
  type PacketKeys,
  type PacketSide,
  packetKeys,
  sealPacket,
} from '../../src/endpoint/initial-protection.ts';
import { encodeVarint } from '../../src/endpoint/packet-header.ts';

/*
 * Hand-made QUIC packets: what a hostile peer sends and no honest engine would. Numbers are not checked, which is the
 * point of it.
 */

const bytes = (...parts: readonly (number | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? encodeVarint(part) : part)));

/** Frames in clear (RFC 9000 §19). */
export const frame = {
  padding: (count: number): Uint8Array => new Uint8Array(count),
  ping: (): Uint8Array => bytes(0x01),
  /** Acknowledges the one packet `largest` and the `below` packets under it. */
  ack: (largest: number, below = 0): Uint8Array => bytes(0x02, largest, 0, 0, below),
  resetStream: (streamId: number, code: number, finalSize: number): Uint8Array =>
    bytes(0x04, streamId, code, finalSize),
  stopSending: (streamId: number, code: number): Uint8Array => bytes(0x05, streamId, code),
  crypto: (offset: number, data: Uint8Array): Uint8Array => bytes(0x06, offset, data.length, data),
  newToken: (token: Uint8Array): Uint8Array => bytes(0x07, token.length, token),
  stream: (streamId: number, offset: number, data: Uint8Array, fin = false): Uint8Array =>
    bytes(fin ? 0x0f : 0x0e, streamId, offset, data.length, data),
  maxStreamData: (streamId: number, limit: number): Uint8Array => bytes(0x11, streamId, limit),
  newConnectionId: (
    sequence: number,
    retirePriorTo: number,
    connectionId: Uint8Array = randomBytes(16),
    resetToken: Uint8Array = randomBytes(16),
  ): Uint8Array => bytes(0x18, sequence, retirePriorTo, Uint8Array.of(connectionId.length), connectionId, resetToken),
  retireConnectionId: (sequence: number): Uint8Array => bytes(0x19, sequence),
  pathChallenge: (data: Uint8Array = randomBytes(8)): Uint8Array => bytes(0x1a, data),
  connectionClose: (code: number, reason = ''): Uint8Array =>
    bytes(0x1c, code, 0, Buffer.byteLength(reason), Buffer.from(reason)),
  handshakeDone: (): Uint8Array => bytes(0x1e),
} as const;

/** What an Initial packet is made of; everything has a value that works. */
export interface InitialParts {
  readonly side?: PacketSide;
  readonly destinationConnectionId: Uint8Array;
  readonly sourceConnectionId?: Uint8Array;
  /** The client's first destination ID, which the keys come from. @defaultValue `destinationConnectionId` */
  readonly keyedBy?: Uint8Array;
  readonly token?: Uint8Array;
  readonly packetNumber?: number;
  readonly frames: readonly Uint8Array[];
  /** PADDING frames are added until the packet has this many bytes. @defaultValue 1200 */
  readonly packetBytes?: number;
}

/** HkdfLabel of RFC 8446 §7.1 for 32 bytes of "quic ku", with the counter of the first block. */
const KEY_UPDATE = Buffer.concat([Uint8Array.of(0, 32, 13), Buffer.from('tls13 quic ku'), Uint8Array.of(0, 1)]);
const PACKET_NUMBER_BYTES = 4;
const TAG_BYTES = 16;

/** A sealed Initial packet (RFC 9001 §5.2). */
export function forgeInitial(parts: InitialParts): Uint8Array {
  const {
    side = 'client',
    destinationConnectionId,
    sourceConnectionId = randomBytes(8),
    token = Buffer.alloc(0),
  } = parts;
  const start = bytes(
    Uint8Array.of(0xc0 | (PACKET_NUMBER_BYTES - 1), 0, 0, 0, 1),
    Uint8Array.of(destinationConnectionId.length),
    destinationConnectionId,
    Uint8Array.of(sourceConnectionId.length),
    sourceConnectionId,
    token.length,
    token,
  );
  const frames = Buffer.concat(parts.frames);
  // Two bytes for the Length field, whatever it holds.
  const around = start.length + 2 + PACKET_NUMBER_BYTES + TAG_BYTES;
  const payload = Buffer.concat([
    frames,
    frame.padding(Math.max(0, (parts.packetBytes ?? 1200) - around - frames.length)),
  ]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(0x4000 | (PACKET_NUMBER_BYTES + payload.length + TAG_BYTES));
  const number = Buffer.alloc(PACKET_NUMBER_BYTES);
  number.writeUInt32BE(parts.packetNumber ?? 0);
  const keys = initialKeys(parts.keyedBy ?? destinationConnectionId, side);
  return sealPacket(keys, Buffer.concat([start, length, number]), payload);
}

/** Seals 1-RTT packets of one side of a live connection, whose secret stands in an SSLKEYLOGFILE (RFC 9850). */
export class ShortPacketForge {
  #secret: Uint8Array;
  #keys: PacketKeys;
  #keyPhase = 0;
  readonly #destinationConnectionId: Uint8Array;
  #packetNumber: number;

  /** @param firstPacketNumber above all that the side itself will send. */
  constructor(keyLogFile: string, side: PacketSide, destinationConnectionId: Uint8Array, firstPacketNumber = 1000) {
    this.#secret = loggedSecret(keyLogFile, side);
    this.#keys = packetKeys(this.#secret);
    this.#destinationConnectionId = Uint8Array.from(destinationConnectionId);
    this.#packetNumber = firstPacketNumber;
  }

  /** From now on packets are sealed with the next keys (RFC 9001 §6); those of the header stay. */
  updateKeys(): void {
    const { headerProtection } = this.#keys;
    this.#secret = createHmac('sha256', this.#secret).update(KEY_UPDATE).digest();
    this.#keys = { ...packetKeys(this.#secret), headerProtection };
    this.#keyPhase ^= 1;
  }

  /** One datagram with one packet of these frames. */
  seal(...frames: readonly Uint8Array[]): Uint8Array {
    const number = Buffer.alloc(PACKET_NUMBER_BYTES);
    number.writeUInt32BE(this.#packetNumber++);
    const header = Buffer.concat([
      Uint8Array.of(0x40 | (this.#keyPhase << 2) | (PACKET_NUMBER_BYTES - 1)),
      this.#destinationConnectionId,
      number,
    ]);
    return sealPacket(this.#keys, header, Buffer.concat(frames));
  }
}

/** Opens 1-RTT packets of one side of a live connection, as {@link ShortPacketForge} makes them. */
export class ShortPacketReader {
  readonly #keys: PacketKeys;
  readonly #connectionIdBytes: number;

  /** @param connectionIdBytes of the receiver's connection IDs. */
  constructor(keyLogFile: string, side: PacketSide, connectionIdBytes: number) {
    this.#keys = packetKeys(loggedSecret(keyLogFile, side));
    this.#connectionIdBytes = connectionIdBytes;
  }

  /** The frames in a datagram, in clear; null where it holds no 1-RTT packet of that side alone. */
  open(datagram: Uint8Array): Uint8Array | null {
    const isLong = ((datagram[0] ?? 0x80) & 0x80) !== 0;
    return isLong ? null : (openPacket(this.#keys, datagram, 1 + this.#connectionIdBytes)?.payload ?? null);
  }
}

function loggedSecret(keyLogFile: string, side: PacketSide): Uint8Array {
  const label = `${side.toUpperCase()}_TRAFFIC_SECRET_0`;
  const secret = new RegExp(`^${label} [0-9a-f]+ ([0-9a-f]{64})$`, 'm').exec(readFileSync(keyLogFile, 'utf8'))?.[1];
  if (secret === undefined) throw new Error(`${keyLogFile} has no ${label} of 32 bytes`);
  return Buffer.from(secret, 'hex');
}
