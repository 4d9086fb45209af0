/** Datagrams a peer may send before the handshake is complete. An honest one needs about ten. */
const HANDSHAKE_DATAGRAMS = 64;
/** Bytes a peer may send before the handshake is complete: 64 KiB, room for long certificate chains. */
const HANDSHAKE_BYTES = 65_536;
/** Bytes that may come to nothing, ever, before the ratio counts: retransmissions, probes, keys. */
const BASE_BYTES = 262_144;
/** A lossy path brings every byte twice; a peer that sends tiny stanzas pays several bytes of packet for each. */
const PER_DELIVERED_BYTE = 4;
/** Acknowledgements answer what we send and are much smaller than it. */
const PER_SENT_BYTE = 2;
/** RFC 9000 §8.1. */
const AMPLIFICATION = 3;

/** What a budget asks of its connection. */
export interface BudgetSource {
  /** Bytes of packets that were authentic; asked seldom, as the engine takes its time to tell. */
  authenticBytes(): number;
  /** Bytes the peer may have sent in order on streams whose readers have not taken them yet. */
  unreadBytes(): number;
}

/**
 * Bounds what a peer can make the engine hold by sending bytes that lead to nothing: CRYPTO data without end
 * (CVE-2024-1765), connection IDs and path challenges without end (CVE-2024-1410, CVE-2023-6193). The engine bounds none of
 * them; every byte of theirs has to be received first, so the receiving side counts.
 *
 * Anyone can send datagrams with a connection's ID on them. So every byte counts at first, and when the count passes the
 * bound it is set right by what was authentic.
 */
export class ByteBudget {
  readonly #source: BudgetSource;
  readonly #addressProved: boolean;
  #established = false;
  #datagrams = 0;
  #received = 0;
  #sent = 0;
  #earned = BASE_BYTES;

  /** @param addressProved the peer's address needs no proof: it returned a Retry token, or we called it ourselves. */
  constructor(source: BudgetSource, addressProved: boolean) {
    this.#source = source;
    this.#addressProved = addressProved;
  }

  /** The handshake is complete. */
  establish(): void {
    this.#established = true;
  }

  /** @returns false when the peer has used up what it may send for nothing. */
  receive(bytes: number): boolean {
    this.#received += bytes;
    if (!this.#established) {
      this.#datagrams += 1;
      if (this.#datagrams <= HANDSHAKE_DATAGRAMS && this.#received <= HANDSHAKE_BYTES) return true;
      // Others' junk is forgiven here too; what is authentic before the handshake is done is little.
      this.#datagrams = 0;
      this.#received = this.#source.authenticBytes();
      return this.#received <= HANDSHAKE_BYTES;
    }
    if (this.#received <= this.#earned) return true;
    this.#received = this.#source.authenticBytes();
    return this.#received <= this.#earned + this.#source.unreadBytes();
  }

  /** Bytes of streams that a reader took. */
  deliver(bytes: number): void {
    this.#earned += bytes * PER_DELIVERED_BYTE;
  }

  /**
   * Asks leave to send a datagram. Until the handshake has proved that the peer's address is its own, it gets at most
   * three times what it sent (RFC 9000 §8.1); the engine alone does not count the padding of datagrams.
   */
  send(bytes: number): boolean {
    const unproved = !this.#established && !this.#addressProved;
    if (unproved && this.#sent + bytes > AMPLIFICATION * this.#received) return false;
    this.#sent += bytes;
    this.#earned += bytes * PER_SENT_BYTE;
    return true;
  }
}
