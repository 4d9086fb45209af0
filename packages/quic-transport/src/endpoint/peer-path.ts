import type { EngineConnection } from '../engine/port.ts';
import type { Carrier } from './carrier.ts';
import type { IssuedConnectionIds } from './issued-connection-ids.ts';
import { PeerAddress } from './peer-address.ts';
import type { UdpSocket } from './udp-socket.ts';

/** What peers did about their addresses; each number only ever grows. */
export interface PathCounters {
  /** A peer was seen at an address it had not proved. */
  peersMoved: number;
  /** It proved that the address was its own. */
  addressesProved: number;
  /** It did not in time, or was seen at the address before. */
  addressesNotProved: number;
}

export const createPathCounters = (): PathCounters => ({ peersMoved: 0, addressesProved: 0, addressesNotProved: 0 });

/** What an authentic datagram changed. */
export interface PathNews {
  /** The path in use is another one. */
  readonly changed: boolean;
  /** A client: the peer has answered over the path that was moved to. */
  readonly answered: boolean;
}

/** The proof of an address may take three probe timeouts of a path nobody knows (RFC 9000 §8.2.4), or so many round trips. */
const PROOF_MS = 3_000;
const PROOF_ROUND_TRIPS = 6;
const NOTHING: PathNews = { changed: false, answered: false };

/**
 * The path to the peer, as seen from one side. A client moves it itself, and waits for an answer over it. A server
 * follows its peer, and has every address proved by the use of connection IDs that went nowhere else.
 */
export class PeerPath {
  readonly #role: 'client' | 'server';
  readonly #engine: EngineConnection;
  readonly #issued: IssuedConnectionIds;
  readonly #counters: PathCounters;
  #peer: PeerAddress;
  /** The ID the peer addressed its last packet to, as far as it was looked at. */
  #usedNumber = 0;
  /** A client's socket on which nothing authentic has come since it was moved to. */
  #awaited: UdpSocket | null = null;

  constructor(
    role: 'client' | 'server',
    engine: EngineConnection,
    issued: IssuedConnectionIds,
    counters: PathCounters,
    carrier: Carrier,
  ) {
    this.#role = role;
    this.#engine = engine;
    this.#issued = issued;
    this.#counters = counters;
    this.#peer = new PeerAddress(carrier);
  }

  /** Where datagrams go now. */
  get carrier(): Carrier {
    return this.#peer.carrier;
  }

  /** The path in use; a server's is one whose remote address the peer has proved to be its own. */
  get proved(): Carrier {
    return this.#peer.proved;
  }

  get isProved(): boolean {
    return this.#peer.isProved;
  }

  /** Bytes that may be sent now. */
  get allowanceBytes(): number {
    return this.#peer.allowanceBytes;
  }

  /** Only the use of IDs with this number or a higher one proves anything; null when there is nothing to prove. */
  get provingNumber(): number | null {
    return this.#peer.provingNumber;
  }

  /** When {@link giveUp} is due, on the clock of `performance.now()`. */
  get deadlineAtMs(): number {
    return this.#peer.deadlineAtMs;
  }

  /** Whether it makes a difference that a datagram that came this way is authentic. */
  isNews(socket: UdpSocket, remoteAddress: string, remotePort: number): boolean {
    return this.#role === 'client' ? socket === this.#awaited : this.#peer.isNews(socket, remoteAddress, remotePort);
  }

  onSent(bytes: number): void {
    this.#peer.onSent(bytes);
  }

  /** @param key of the ID it was addressed to, null where that cannot be read. */
  onAuthentic(from: Carrier, bytes: number, key: string | null, nowMs: number): PathNews {
    if (this.#role === 'client') {
      this.#awaited = null;
      return { changed: true, answered: true };
    }
    const usedNumber = key === null ? -1 : this.#issued.numberOf(key);
    const ids = { usedNumber, nextNumber: this.#issued.nextNumber };
    const hadClaim = !this.#peer.isProved;
    const whereabouts = this.#peer.onAuthentic(from, bytes, ids, nowMs + this.#proofMs);
    // RFC 9000 §9.5: a peer that changed the ID along with its address is answered with another one, too.
    if (whereabouts === 'moved' && usedNumber !== this.#usedNumber) this.#engine.changePeerConnectionId();
    if (usedNumber >= 0) this.#usedNumber = usedNumber;
    if (whereabouts === 'moved') this.#counters.peersMoved += 1;
    if (whereabouts === 'returned' || (whereabouts === 'moved' && hadClaim)) this.#counters.addressesNotProved += 1;
    if (whereabouts !== 'proved') return NOTHING;
    this.#counters.addressesProved += 1;
    return { changed: true, answered: false };
  }

  get #proofMs(): number {
    return Math.max(PROOF_MS, PROOF_ROUND_TRIPS * this.#engine.rttMs);
  }

  /** Goes over to another path of this client; with another ID of the peer's, so that nobody can link the two. */
  moveTo(carrier: Carrier): void {
    this.#peer = new PeerAddress(carrier);
    this.#awaited = carrier.socket;
    this.#engine.changePeerConnectionId();
  }

  /** The proof has not come in time (RFC 9000 §9.3.2). */
  giveUp(): void {
    this.#counters.addressesNotProved += 1;
    this.#peer.giveUp();
  }
}
