import type { EngineStats } from '../engine/port.ts';

/** Datagrams a peer may send before the handshake is complete. An honest one needs about ten. */
const HANDSHAKE_DATAGRAMS = 64;
/** Bytes a peer may send before the handshake is complete: 64 KiB, room for long certificate chains. */
const HANDSHAKE_BYTES = 65_536;
/** Frames that lead to nothing which any peer has for its life: 256 KiB, for probes, or for the rest of a stream we ended. */
const BASE_BYTES = 262_144;
/** The same for each second: PINGs, and now and then another path. */
const BYTES_PER_SECOND = 8;
/**
 * What an honest packet may hold beside stream data: an acknowledgement with some gaps, the head of a STREAM frame. It carries stream
 * data or answers it, so all this is no more than bytes of streams.
 */
const PER_PACKET_BYTES = 48;
/** Packets with a first byte, a connection ID of 8 bytes, a packet number and a tag: none is smaller (RFC 9000 §17.3.1). */
const LEAST_PACKET_BYTES = 1 + 8 + 1 + 16;
/** RFC 9000 §8.1. */
const AMPLIFICATION = 3;

/** What a budget asks of its connection. */
export interface BudgetSource {
  /** What was authentic; asked seldom, as the engine takes its time to tell. */
  stats(): Pick<EngineStats, 'packetsReceived' | 'bytesReceived'>;
  /** Bytes of streams the engine has taken from us to send, each once. */
  readonly streamBytesWritten: number;
  /** Bytes the peer may have sent in order on streams whose readers have not taken them yet. */
  readonly unreadBytes: number;
}

/**
 * Bounds what a peer can make the engine hold by frames that lead to nothing: CRYPTO data without end (CVE-2024-1765),
 * connection IDs and path challenges without end (CVE-2024-1410, CVE-2023-6193). The engine bounds none of them; every
 * byte of theirs has to be received first, so the receiving side counts: the payload of all packets, less the stream
 * data that was delivered. What packets cost beside their frames is left out, or a peer of small packets would be spared;
 * and our own packets earn it nothing, or one that waits for our acknowledgement of each of its packets could go on for ever.
 *
 * Anyone can send datagrams with a connection's ID on them. So every byte counts at first, and when the count passes the
 * bound it is set right by what was authentic.
 */
export class ByteBudget {
  readonly #source: BudgetSource;
  #isAddressProved: boolean;
  readonly #startMs = performance.now();
  #established = false;
  #datagrams = 0;
  #received = 0;
  #sent = 0;
  #delivered = 0;
  /** Payload that led to nothing, at most. */
  #idle = 0;
  #bound = BASE_BYTES;

  /** @param isAddressProved the peer's address needs no proof: it returned a Retry token, or we called it ourselves. */
  constructor(source: BudgetSource, isAddressProved: boolean) {
    this.#source = source;
    this.#isAddressProved = isAddressProved;
  }

  /** The handshake is complete. */
  establish(): void {
    this.#established = true;
    this.#isAddressProved = true;
    this.#idle = this.#received;
  }

  /** @returns false when the peer has used up what it may send for nothing. */
  receive(bytes: number): boolean {
    if (this.#established) {
      this.#idle += Math.max(0, bytes - LEAST_PACKET_BYTES);
      return this.#idle <= this.#bound || this.#judge();
    }
    this.#received += bytes;
    this.#datagrams += 1;
    if (this.#datagrams <= HANDSHAKE_DATAGRAMS && this.#received <= HANDSHAKE_BYTES) return true;
    // Others' junk is forgiven here too; what is authentic before the handshake is done is little.
    this.#datagrams = 0;
    this.#received = this.#source.stats().bytesReceived;
    return this.#received <= HANDSHAKE_BYTES;
  }

  /** Bytes of streams that a reader took. */
  deliver(bytes: number): void {
    this.#delivered += bytes;
    this.#idle -= bytes;
  }

  get isAddressProved(): boolean {
    return this.#isAddressProved;
  }

  /** A packet has come that nobody can send who did not read what went to that address: one of the Handshake space. */
  proveAddress(): void {
    this.#isAddressProved = true;
  }

  /**
   * Bytes that may be sent now. Until the peer's address is proved to be its own, it gets at most three times what it sent
   * (RFC 9000 §8.1); the engine alone does not count the padding of datagrams.
   */
  get allowanceBytes(): number {
    return this.#isAddressProved ? Number.POSITIVE_INFINITY : AMPLIFICATION * this.#received - this.#sent;
  }

  /** Asks leave to send a datagram. */
  send(bytes: number): boolean {
    if (bytes > this.allowanceBytes) return false;
    this.#sent += bytes;
    return true;
  }

  #judge(): boolean {
    const { packetsReceived, bytesReceived } = this.#source.stats();
    const seconds = (performance.now() - this.#startMs) / 1_000;
    this.#idle = bytesReceived - LEAST_PACKET_BYTES * packetsReceived - this.#delivered;
    this.#bound =
      BASE_BYTES +
      BYTES_PER_SECOND * seconds +
      Math.min(PER_PACKET_BYTES * packetsReceived, this.#delivered + this.#source.streamBytesWritten) +
      // A bad path may bring everything twice.
      this.#delivered +
      this.#source.unreadBytes;
    return this.#idle <= this.#bound;
  }
}
