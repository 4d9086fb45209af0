import type { EngineConnection } from '../engine/port.ts';
import type { Addressee, ConnectionIds, IssuedConnectionId } from './connection-ids.ts';
import { connectionIdKey } from './packet-header.ts';
import { Settlement } from './settlement.ts';
import type { UdpSocket } from './udp-socket.ts';

/** An ID of ours that the peer may use. */
interface LiveId {
  readonly key: string;
  /** Counts up in the order of issue. */
  readonly number: number;
  /** When it was issued, for the {@link Settlement}. */
  readonly epoch: number;
  /** The peer was told to retire it. */
  askedBack: boolean;
}

/** IDs kept with the peer: one in use, and spare ones so that it can change its path (RFC 9000 §5.1.1). */
const STOCK = 4;
/** Of the ID of the handshake, which no frame has brought. */
const BEFORE_ALL = -1;
/** A peer that keeps more IDs than this would need too many frames to be asked for all of them back. */
const MAX_RENEWABLE = 16;
/** NEW_CONNECTION_ID with an ID of the greatest length (RFC 9000 §19.15). */
const FRAME_BYTES = 1 + 8 + 8 + 1 + 20 + 16;
/** What a packet needs besides: header, packet number, tag, and an acknowledgement. */
const PACKET_BYTES = 1 + 20 + 4 + 16 + 16;
/** In a datagram of fewer bytes no ID can be issued. */
export const LEAST_ISSUING_BYTES: number = PACKET_BYTES + FRAME_BYTES;
/** Retired IDs that are still known as such, for packets that come late. */
const RETIRED_KEPT = 8;

const NOBODY: Addressee<UdpSocket> = { receive: () => undefined };

/**
 * The connection IDs one side has issued for a connection: supplied, routed, retired and replaced for its whole life
 * (RFC 9000 §5.1.1, §5.1.2).
 *
 * {@link renew} makes a peer go over to IDs that are sent to it now. Where they are sent to one address only, their use
 * proves that the peer can read there, as the echo of PATH_CHALLENGE would (`docs/decisions/0009-address-validation.md`).
 */
export class IssuedConnectionIds {
  readonly #engine: EngineConnection;
  readonly #ids: ConnectionIds<UdpSocket>;
  readonly #addressee: Addressee<UdpSocket>;
  /** The oldest first. */
  readonly #live: LiveId[] = [];
  readonly #retired: string[] = [];
  readonly #settlement = new Settlement();
  #newestEpoch = BEFORE_ALL;
  /** The ID a client chose for its first packets. It leads here to the end, so that a replay of them stays harmless. */
  readonly #initialKey: string | null;
  /**
   * The ID of the handshake. It leads nowhere to the end once it is retired: everybody has seen it, and a stateless reset for
   * it would end the connection, as engines do not forget its token (RFC 9000 §10.3.1).
   */
  readonly #sourceKey: string;
  #hasFailed = false;
  #nextNumber = 0;

  /** @param source the ID of the handshake. @param initial the one the client chose, where it leads here. */
  constructor(
    engine: EngineConnection,
    ids: ConnectionIds<UdpSocket>,
    addressee: Addressee<UdpSocket>,
    source: Uint8Array,
    initial: Uint8Array | null,
  ) {
    this.#engine = engine;
    this.#ids = ids;
    this.#addressee = addressee;
    this.#initialKey = initial === null ? null : ids.add(initial, addressee);
    this.#sourceKey = ids.add(source, addressee);
    this.#remember(this.#sourceKey, BEFORE_ALL);
  }

  /** Every key that leads somewhere because of this connection. */
  get keys(): readonly string[] {
    const initial = this.#initialKey === null ? [] : [this.#initialKey];
    return [...new Set([this.#sourceKey, ...this.#live.map(({ key }) => key), ...this.#retired, ...initial])];
  }

  /** Every ID issued from now on has this number or a higher one. */
  get nextNumber(): number {
    return this.#nextNumber;
  }

  /** Keeps the peer supplied. */
  topUp(): void {
    const limit = this.#engine.connectionIdLimit;
    // One below the limit, where that leaves a spare one: room in which IDs can be renewed in one go.
    const stock = Math.min(STOCK, Math.max(2, limit - 1));
    while (this.#live.length < stock && this.#engine.connectionIdsWanted > 0) {
      if (!this.#issue()) return;
    }
  }

  /**
   * Issues IDs until the peer has been asked to retire all that are older than `number`, as far as that is possible now:
   * an ID is asked back only when the frame that brought it is settled, and only a few may wait to be retired. To be called
   * again whenever something was heard.
   * @param roomBytes size of the datagram that is sent next; the IDs issued now have to go in that one.
   */
  renew(number: number, roomBytes: number): void {
    if (this.#engine.connectionIdLimit > MAX_RENEWABLE) return;
    for (let room = roomBytes - PACKET_BYTES; room >= FRAME_BYTES; room -= FRAME_BYTES) {
      const oldest = this.#live.find(({ askedBack }) => !askedBack);
      if (oldest === undefined || oldest.number >= number) return;
      const mayReplace = this.#engine.connectionIdsWanted === 0;
      if (mayReplace && !this.#settlement.isSettled(oldest.epoch)) return;
      if (!(mayReplace ? this.#replace(oldest) : this.#issue())) return;
    }
  }

  /** Whether the engine may send one of the IDs again. Then {@link settle} is to be called at the end of each turn. */
  get isUnsettled(): boolean {
    return !this.#settlement.isSettled(this.#newestEpoch);
  }

  /**
   * @param isQuiet whether everything that had to be sent has been sent, and nothing is in flight.
   * @returns until when nothing new is to be sent, so that it becomes quiet; 0 where everything may go on.
   */
  settle(isQuiet: boolean, nowMs: number): number {
    if (!isQuiet) return this.#settlement.onRestless(nowMs, this.#engine.streamBytesWritten);
    this.#settlement.onQuiet();
    return 0;
  }

  /**
   * @param key of the ID an authentic packet was addressed to.
   * @returns its number; -1 for the one a client chose itself, and for a retired one.
   */
  numberOf(key: string): number {
    return this.#live.find((live) => live.key === key)?.number ?? -1;
  }

  /**
   * Takes note of the IDs the peer has retired. The engine takes a packet to a retired ID for a protocol violation, and a
   * stateless reset in answer to one can end the connection of a peer that still knows its token. So late packets to the
   * last few lead nowhere for a while.
   * @returns whether there were any.
   */
  collectRetired(): boolean {
    const engine = this.#engine;
    let id = engine.nextRetiredConnectionId();
    if (id === null) return false;
    for (; id !== null; id = engine.nextRetiredConnectionId()) this.#retire(connectionIdKey(id));
    return true;
  }

  #retire(key: string): void {
    const index = this.#live.findIndex((live) => live.key === key);
    if (index >= 0) this.#live.splice(index, 1);
    this.#ids.redirect([key], NOBODY);
    if (key === this.#sourceKey) return;
    this.#retired.push(key);
    if (this.#retired.length > RETIRED_KEPT) this.#ids.remove(this.#retired.shift() as string);
  }

  #issue(): boolean {
    const created = this.#create();
    if (created === null) return false;
    this.#engine.issueConnectionId(created.id, created.resetToken);
    this.#remember(this.#ids.add(created.id, this.#addressee), this.#settlement.epoch);
    return true;
  }

  #replace(oldest: LiveId): boolean {
    const created = this.#create();
    if (created === null || !this.#engine.replaceConnectionId(created.id, created.resetToken)) return false;
    oldest.askedBack = true;
    this.#remember(this.#ids.add(created.id, this.#addressee), this.#settlement.epoch);
    return true;
  }

  /** A generator that fails costs the connection its spare IDs, and not its life; new clients make the fault known. */
  #create(): IssuedConnectionId | null {
    if (this.#hasFailed) return null;
    try {
      return this.#ids.create();
    } catch {
      this.#hasFailed = true;
      return null;
    }
  }

  #remember(key: string, epoch: number): void {
    this.#live.push({ key, number: this.#nextNumber++, epoch, askedBack: false });
    this.#newestEpoch = epoch;
  }
}
