import { createCipheriv, randomBytes } from 'node:crypto';
import { initialKeys, sealPacket } from './initial-protection.ts';
import { encodeVarint, QUIC_VERSION_1 } from './packet-header.ts';

/*
 * Packets a server sends without keeping anything of the client. The caller makes sure that each answers a datagram
 * that is larger, so that nobody is flooded by way of us (RFC 9000 §8.1, §10.3.3).
 */

/** Which connection IDs to answer to: those of the client's packet. */
export interface AnsweredHeader {
  readonly destinationConnectionId: Uint8Array;
  readonly sourceConnectionId: Uint8Array;
}

const CONNECTION_CLOSE = 0x1c;
const PACKET_NUMBER_BYTES = 4;
const TAG_BYTES = 16;

/** Keeps the packet small against the 1200 bytes it answers. */
const MAX_REASON_BYTES = 100;

/** RFC 9001 §5.8. */
const RETRY_KEY = Buffer.from('be0c690b9f66575a1d766b54e368c84e', 'hex');
const RETRY_NONCE = Buffer.from('461599d35d632bf2239825bb', 'hex');

/** RFC 9000 §10.3: below 21 bytes no peer takes it for a reset. */
const MIN_RESET_BYTES = 21;

/** Long enough to look like any short packet, and of a length that never sets two endpoints resetting each other. */
const MAX_RESET_BYTES = 43;

/**
 * Refuses a client's Initial: a server Initial with CONNECTION_CLOSE, which the client can read at once (RFC 9000
 * §10.2.3). @param code transport error code, TLS alerts as 0x100 + alert. @param reason cut to 100 bytes.
 */
export function refuseInitial(answered: AnsweredHeader, code: number, reason = ''): Uint8Array {
  const phrase = new Uint8Array(MAX_REASON_BYTES);
  const { written } = new TextEncoder().encodeInto(reason, phrase);
  const frame = Buffer.concat([
    Uint8Array.of(CONNECTION_CLOSE),
    encodeVarint(code),
    // Frame type that caused it: none in particular (RFC 9000 §19.19).
    Uint8Array.of(0),
    encodeVarint(written),
    phrase.subarray(0, written),
  ]);
  const header = Buffer.concat([
    longHeaderStart(0xc0 | (PACKET_NUMBER_BYTES - 1), QUIC_VERSION_1, answered),
    encodeVarint(0),
    encodeVarint(PACKET_NUMBER_BYTES + frame.length + TAG_BYTES),
    new Uint8Array(PACKET_NUMBER_BYTES),
  ]);
  return sealPacket(initialKeys(answered.destinationConnectionId, 'server'), header, frame);
}

/** Version Negotiation (RFC 9000 §17.2.1): tells the versions spoken here, in answer to any other. */
export function versionNegotiation(answered: AnsweredHeader): Uint8Array {
  const versions = Buffer.alloc(4);
  versions.writeUInt32BE(QUIC_VERSION_1);
  return Buffer.concat([longHeaderStart(0xc0, 0, answered), versions]);
}

/** Retry (RFC 9000 §17.2.5). @param retrySourceConnectionId not the one answered; the client sends to it from now on. */
export function retryPacket(
  answered: AnsweredHeader,
  retrySourceConnectionId: Uint8Array,
  token: Uint8Array,
): Uint8Array {
  const ids = {
    destinationConnectionId: retrySourceConnectionId,
    sourceConnectionId: answered.sourceConnectionId,
  };
  const packet = Buffer.concat([longHeaderStart(0xff, QUIC_VERSION_1, ids), token]);
  return Buffer.concat([packet, retryIntegrityTag(answered.destinationConnectionId, packet)]);
}

/** Retry Integrity Tag (RFC 9001 §5.8) over a Retry packet that still lacks it. */
export function retryIntegrityTag(originalDestinationConnectionId: Uint8Array, packet: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-128-gcm', RETRY_KEY, RETRY_NONCE);
  cipher.setAAD(
    Buffer.concat([Uint8Array.of(originalDestinationConnectionId.length), originalDestinationConnectionId, packet]),
  );
  cipher.final();
  return cipher.getAuthTag();
}

/**
 * Stateless reset (RFC 9000 §10.3) in answer to a packet of an unknown connection. Each is shorter than what it
 * answers, so that two endpoints that know nothing of each other fall silent.
 * @param token of the connection ID that was addressed. @param answeredBytes length of the datagram answered.
 * @returns null where the datagram is too short to be answered.
 */
export function statelessReset(token: Uint8Array, answeredBytes: number): Uint8Array | null {
  const bytes = Math.min(answeredBytes - 1, MAX_RESET_BYTES);
  if (bytes < MIN_RESET_BYTES) return null;
  const unpredictable = randomBytes(bytes - token.length);
  unpredictable[0] = 0x40 | ((unpredictable[0] as number) & 0x3f);
  return Buffer.concat([unpredictable, token]);
}

/** First byte, version and both connection IDs, ours and theirs exchanged. */
function longHeaderStart(first: number, version: number, answered: AnsweredHeader): Uint8Array {
  const { destinationConnectionId, sourceConnectionId } = answered;
  return Buffer.concat([
    Uint8Array.of(first, 0, 0, 0, version),
    Uint8Array.of(sourceConnectionId.length),
    sourceConnectionId,
    Uint8Array.of(destinationConnectionId.length),
    destinationConnectionId,
  ]);
}
