import { type ClientHello, parseClientHello } from './client-hello-parser.ts';
import { initialKeys, openPacket, type PacketKeys } from './initial-protection.ts';
import { parseLongHeader, readVarint } from './packet-header.ts';

/** All that a client can make a peek hold. The time it may take is its owner's to bound. */
export const CLIENT_HELLO_LIMITS = {
  /** Whole ClientHello, and so the highest CRYPTO offset, in bytes. Post-quantum key shares need about 2 KiB. */
  bytes: 16_384,
  /** Frames other than PADDING. Clients that scatter their hello on purpose use some dozens. */
  frames: 256,
  datagrams: 4,
} as const;

/** `more`: the next datagram may complete it. `invalid`: no ClientHello can come of this. */
export type PeekOutcome = ClientHello | 'more' | 'invalid';

interface CryptoChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const FRAME = { padding: 0x00, ping: 0x01, ack: 0x02, ackEcn: 0x03, crypto: 0x06 } as const;

/**
 * Reads the ClientHello out of a client's first Initial packets before any connection is made of them (RFC 9001
 * §4.3). Datagrams stay untouched. What it tells proves nothing of the sender's address, and must be compared with
 * what TLS says in the end.
 */
export class ClientHelloPeek {
  readonly #destinationConnectionId: Uint8Array;
  #keys: PacketKeys | null = null;
  readonly #chunks: CryptoChunk[] = [];
  #frames = 0;
  #datagrams = 0;
  #outcome: PeekOutcome = 'more';

  /** @param destinationConnectionId of the client's first Initial; its packets to any other are skipped. */
  constructor(destinationConnectionId: Uint8Array) {
    this.#destinationConnectionId = new Uint8Array(destinationConnectionId);
  }

  /** Never throws. Once it has returned something else than `more`, it returns that again. */
  feed(datagram: Uint8Array): PeekOutcome {
    if (this.#outcome !== 'more') return this.#outcome;
    this.#datagrams++;
    const authentic = this.#readPackets(datagram);
    this.#outcome = authentic === 'invalid' ? 'invalid' : this.#assemble();
    // Nothing is kept for a sender whose first datagram holds no packet sealed for us.
    const hopeless = this.#datagrams === CLIENT_HELLO_LIMITS.datagrams || (!authentic && this.#datagrams === 1);
    if (this.#outcome === 'more' && hopeless) this.#outcome = 'invalid';
    return this.#outcome;
  }

  /** @returns whether any packet was authentic, or `invalid` when one held what an Initial may not hold. */
  #readPackets(datagram: Uint8Array): boolean | 'invalid' {
    let authentic = false;
    for (let start = 0; start < datagram.length; ) {
      const header = parseLongHeader(datagram, start);
      if (header === null) break;
      start = header.end;
      if (header.type !== 'initial' || !equals(header.destinationConnectionId, this.#destinationConnectionId)) continue;
      this.#keys ??= initialKeys(this.#destinationConnectionId, 'client');
      const packet = datagram.subarray(header.start, header.end);
      const opened = openPacket(this.#keys, packet, header.packetNumberOffset - header.start);
      if (opened === null) continue;
      authentic = true;
      if (!this.#readFrames(opened.payload)) return 'invalid';
    }
    return authentic;
  }

  /** @returns false for a frame that has no place here (RFC 9000 §12.4), or past a limit. */
  #readFrames(payload: Uint8Array): boolean {
    for (let at = 0; at < payload.length; ) {
      const type = payload[at++];
      if (type === FRAME.padding) continue;
      if (++this.#frames > CLIENT_HELLO_LIMITS.frames) return false;
      if (type === FRAME.ping) continue;
      const end =
        type === FRAME.crypto
          ? this.#readCrypto(payload, at)
          : type === FRAME.ack || type === FRAME.ackEcn
            ? skipAck(payload, at, type === FRAME.ackEcn)
            : null;
      if (end === null) return false;
      at = end;
    }
    return true;
  }

  #readCrypto(payload: Uint8Array, at: number): number | null {
    const offset = readVarint(payload, at);
    const length = offset && readVarint(payload, offset.end);
    if (!offset || !length) return null;
    const end = length.end + length.value;
    if (end > payload.length || offset.value + length.value > CLIENT_HELLO_LIMITS.bytes) return null;
    this.#chunks.push({ offset: offset.value, bytes: payload.subarray(length.end, end) });
    return end;
  }

  /** Joins what has come, in whatever order and however often; two versions of one byte are an attack. */
  #assemble(): PeekOutcome {
    this.#chunks.sort((a, b) => a.offset - b.offset);
    let known = 0;
    const hello = new Uint8Array(
      this.#chunks.reduce((most, { offset, bytes }) => Math.max(most, offset + bytes.length), 0),
    );
    for (const { offset, bytes } of this.#chunks) {
      if (offset > known) break;
      const overlap = Math.min(known - offset, bytes.length);
      if (!equals(bytes.subarray(0, overlap), hello.subarray(offset, offset + overlap))) return 'invalid';
      hello.set(bytes.subarray(overlap), offset + overlap);
      known = Math.max(known, offset + bytes.length);
    }
    return parseClientHello(hello.subarray(0, known), CLIENT_HELLO_LIMITS.bytes);
  }
}

/** RFC 9000 §19.3. */
function skipAck(payload: Uint8Array, at: number, withEcn: boolean): number | null {
  const largest = readVarint(payload, at);
  const delay = largest && readVarint(payload, largest.end);
  const ranges = delay && readVarint(payload, delay.end);
  if (!ranges) return null;
  let { end } = ranges;
  // First range; then gap and length of each further one; then three ECN counts.
  const fields = 1 + 2 * ranges.value + (withEcn ? 3 : 0);
  for (let index = 0; index < fields; index++) {
    const field = readVarint(payload, end);
    if (field === null) return null;
    ({ end } = field);
  }
  return end;
}

function equals(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
