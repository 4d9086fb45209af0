import { type Carrier, isOn } from './carrier.ts';
import type { UdpSocket } from './udp-socket.ts';

/** An address the peer seems to have moved to, and has not proved to be its own. */
interface Claim {
  readonly carrier: Carrier;
  receivedBytes: number;
  sentBytes: number;
  /** Only IDs with this number or a higher one were sent to nobody but this address. */
  readonly firstNumber: number;
  deadlineAtMs: number;
}

/** What an authentic datagram told about where the peer is. */
export type Whereabouts =
  /** Where it was. */
  | 'same'
  /** At an address it has not proved yet. */
  | 'moved'
  /** At the address it had proved before. */
  | 'returned'
  /** The address it had moved to is its own. */
  | 'proved';

/** RFC 9000 §8.1, §9.3.1. */
const AMPLIFICATION = 3;

/**
 * Where the peer of a server is (RFC 9000 §9.3). Only authentic datagrams move it. An address that has not proved itself
 * gets at most three times what came from it, and when the proof does not come the last proved address counts again.
 */
export class PeerAddress {
  /** The last address that the peer has proved; that of the handshake at first. */
  #proved: Carrier;
  #claim: Claim | null = null;

  constructor(carrier: Carrier) {
    this.#proved = carrier;
  }

  /** Where datagrams go now. */
  get carrier(): Carrier {
    return this.#claim?.carrier ?? this.#proved;
  }

  /** Where the peer was seen to read; what the user is told. */
  get proved(): Carrier {
    return this.#proved;
  }

  get isProved(): boolean {
    return this.#claim === null;
  }

  /** Only IDs with this number or a higher one prove the address by their use; null when there is nothing to prove. */
  get provingNumber(): number | null {
    return this.#claim?.firstNumber ?? null;
  }

  /** When the proof has to be there, on the clock of `performance.now()`; `Infinity` when there is nothing to prove. */
  get deadlineAtMs(): number {
    return this.#claim?.deadlineAtMs ?? Number.POSITIVE_INFINITY;
  }

  /** Bytes that may be sent to the present address now. */
  get allowanceBytes(): number {
    if (this.#claim === null) return Number.POSITIVE_INFINITY;
    return AMPLIFICATION * this.#claim.receivedBytes - this.#claim.sentBytes;
  }

  /** Whether a datagram from there says anything new. */
  isNews(socket: UdpSocket, remoteAddress: string, remotePort: number): boolean {
    return this.#claim !== null || !isOn(this.#proved, socket, remoteAddress, remotePort);
  }

  onSent(bytes: number): void {
    if (this.#claim !== null) this.#claim.sentBytes += bytes;
  }

  /**
   * An authentic datagram has come.
   * @param usedNumber of the connection ID it was addressed to. @param nextNumber that the next ID issued will have.
   * @param proofDeadlineAtMs how long the address may now stay without proof, if nothing further comes from it.
   */
  onAuthentic(
    from: Carrier,
    bytes: number,
    ids: { readonly usedNumber: number; readonly nextNumber: number },
    proofDeadlineAtMs: number,
  ): Whereabouts {
    const { socket, remoteAddress, remotePort } = from;
    const claim = this.#claim;
    if (claim !== null && isOn(claim.carrier, socket, remoteAddress, remotePort)) {
      claim.receivedBytes += bytes;
      // Whoever goes on coming from there is there; the deadline is for one that fell silent.
      claim.deadlineAtMs = proofDeadlineAtMs;
      if (ids.usedNumber < claim.firstNumber) return 'same';
      this.#proved = claim.carrier;
      this.#claim = null;
      return 'proved';
    }
    if (isOn(this.#proved, socket, remoteAddress, remotePort)) {
      // Whatever was sent to the other address may be sent here again now, and proves nothing about that one any more.
      this.#claim = null;
      return claim === null ? 'same' : 'returned';
    }
    this.#claim = {
      carrier: from,
      receivedBytes: bytes,
      sentBytes: 0,
      firstNumber: ids.nextNumber,
      deadlineAtMs: proofDeadlineAtMs,
    };
    return 'moved';
  }

  /** The proof did not come in time (RFC 9000 §9.3.2): back to the last proved address. */
  giveUp(): void {
    this.#claim = null;
  }
}
