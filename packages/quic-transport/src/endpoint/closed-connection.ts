import type { Addressee } from './connection-ids.ts';
import type { Deadlined } from './timer-queue.ts';
import type { UdpSocket } from './udp-socket.ts';

/** Where the last words go. */
export interface LastWords {
  /** The datagram with CONNECTION_CLOSE; null where the peer closed, and nothing more may be sent. */
  readonly datagram: Uint8Array | null;
  readonly socket: UdpSocket;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** The closing and draining periods last three probe timeouts (RFC 9000 §10.2). */
const PERIODS = 3;

/**
 * What remains of a connection after its end (RFC 9000 §10.2): its IDs still lead here, so that late packets are known
 * for what they are. CONNECTION_CLOSE is said once by the engine and not again when it is lost, so it is repeated here:
 * once a probe timeout, and in answer to the 1st, 2nd, 4th, 8th… late packet.
 */
export class ClosedConnection implements Addressee<UdpSocket>, Deadlined {
  readonly #words: LastWords;
  readonly #probeTimeoutMs: number;
  readonly #onOver: () => void;
  #deadlineAtMs: number;
  #periodsLeft = PERIODS;
  #latePackets = 0;

  /** @param onOver the period is over: forget the connection IDs. */
  constructor(words: LastWords, probeTimeoutMs: number, nowMs: number, onOver: () => void) {
    this.#words = words;
    this.#probeTimeoutMs = probeTimeoutMs;
    this.#deadlineAtMs = nowMs + probeTimeoutMs;
    this.#onOver = onOver;
  }

  get deadlineAtMs(): number {
    return this.#deadlineAtMs;
  }

  receive(): void {
    this.#latePackets += 1;
    const isPowerOfTwo = (this.#latePackets & (this.#latePackets - 1)) === 0;
    if (isPowerOfTwo) this.#say();
  }

  onDeadline(nowMs: number): void {
    this.#periodsLeft -= 1;
    if (this.#periodsLeft > 0) {
      this.#deadlineAtMs = nowMs + this.#probeTimeoutMs;
      this.#say();
      return;
    }
    this.#deadlineAtMs = Number.POSITIVE_INFINITY;
    this.#onOver();
  }

  #say(): void {
    const { datagram, socket, remoteAddress, remotePort } = this.#words;
    if (datagram !== null) socket.send(datagram, remoteAddress, remotePort);
  }
}
