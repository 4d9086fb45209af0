import { type EngineCloseError, type EngineConnection, EngineError, type EnginePath } from '../engine/port.ts';
import type { Watchdog } from '../watchdog.ts';
import { ByteBudget } from './byte-budget.ts';
import { ClosedConnection } from './closed-connection.ts';
import type { Addressee, ConnectionIds } from './connection-ids.ts';
import { connectionIdKey } from './packet-header.ts';
import type { SendBuffer } from './send-buffer.ts';
import type { Deadlined, TimerQueue } from './timer-queue.ts';
import type { Turns, TurnTaker } from './turns.ts';
import type { UdpSocket } from './udp-socket.ts';

/**
 * The path every engine connection is told it has, for its whole life. The real addresses are the endpoint's: an engine
 * that never sees a second path cannot be led into the endless loop of CVE-2025-7054, and runs out of no path slots
 * (`docs/decisions/0004-virtual-peer-address.md`). Both are documentation addresses (RFC 5737).
 */
export const VIRTUAL_PATH: EnginePath = Object.freeze({
  local: Object.freeze({ host: '192.0.2.2', port: 2 }),
  remote: Object.freeze({ host: '192.0.2.1', port: 1 }),
});

/** How a connection came to its end, before it is put into words for the user. */
export type ConnectionEnd =
  | { readonly type: 'closed'; readonly by: 'local' | 'peer'; readonly error: EngineCloseError }
  | { readonly type: 'handshake-timeout' }
  | { readonly type: 'idle-timeout' }
  | { readonly type: 'stateless-reset' }
  | { readonly type: 'refused' }
  | { readonly type: 'engine-failed'; readonly cause: unknown };

/** What a driver tells the connection it drives. */
export interface DriverOwner {
  /** Keys for application data are there. */
  onEstablished(): void;
  /** Streams may be read, and new ones taken. */
  onInput(): void;
  /** Writers that wait may go on. */
  onOutput(): void;
  /** Bytes the peer may have sent on streams whose readers have not taken them yet. */
  readonly unreadBytes: number;
  /** Nothing comes or goes any more. Called once. */
  onEnd(end: ConnectionEnd): void;
  /** The last trace is gone: the connection IDs lead nowhere. Called once, after {@link onEnd}. */
  onReleased(): void;
}

/** What connections of one endpoint share. */
export interface DriverShared {
  readonly turns: Turns;
  readonly timers: TimerQueue;
  readonly ids: ConnectionIds<UdpSocket>;
  readonly sendBuffer: SendBuffer;
  readonly watchdog: Watchdog;
}

/** Where a connection sends to. */
export interface Carrier {
  readonly socket: UdpSocket;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** Keeps a copy of the last datagram that was sent. */
interface LastDatagram {
  bytes: Uint8Array | null;
}

/** What CONNECTION_CLOSE is to say, and until when it may wait. */
interface Closing {
  readonly application: boolean;
  readonly code: number;
  readonly reason: string;
  readonly giveUpAtMs: number;
}

/** Timing of one connection, in milliseconds. */
export interface DriverTiming {
  readonly handshakeTimeoutMs: number;
  /** Ours; the lower of both peers' counts. 0 for none. */
  readonly idleTimeoutMs: number;
  /** 0 for no keep-alive. */
  readonly keepAliveMs: number;
}

/** Sent when a peer has used up its byte budget; as a transport code before the handshake is done (INTERNAL_ERROR). */
const EXCESSIVE_LOAD = 0x01;
/** Probe timeouts that CONNECTION_CLOSE may wait for room. */
const CLOSE_PERIODS = 3;

/** Spare connection IDs kept with the peer, so that it can change its path (RFC 9000 §5.1.1). */
const SPARE_CONNECTION_IDS = 3;
/** The engine sends as much as the congestion window allows; a turn does not, so that its neighbours come in between. */
const DATAGRAMS_PER_TURN = 64;
/** Retired connection IDs that are still known as such, for packets that come late. */
const RETIRED_IDS_KEPT = 8;
const NOBODY: Addressee<UdpSocket> = { receive: () => undefined };
/** `max_ack_delay` of RFC 9000 §18.2, part of every probe timeout (RFC 9002 §6.2.1). */
const MAX_ACK_DELAY_MS = 25;
const LONGEST_PROBE_TIMEOUT_MS = 1_000;
/** Before a round trip was measured; a refused client that hears nothing gives up by itself. */
const HANDSHAKE_PROBE_TIMEOUT_MS = 50;

/** Moves datagrams and time between one engine connection and the endpoint. */
export class ConnectionDriver implements Addressee<UdpSocket>, Deadlined, TurnTaker {
  readonly engine: EngineConnection;
  readonly carrier: Carrier;
  readonly #shared: DriverShared;
  readonly #role: 'client' | 'server';
  #owner: DriverOwner;
  readonly #timing: DriverTiming;
  readonly #budget: ByteBudget;
  /** IDs we issued that the peer may use. */
  readonly #keys = new Set<string>();
  readonly #retired: string[] = [];
  /** The ID a client chose for its first packets. It leads here to the end, so that a replay of them stays harmless. */
  readonly #initialKey: string | null;
  #established = false;
  #ended = false;
  #refused = false;
  /** The peer broke the protocol: the engine's next datagram says so. */
  #violated = false;
  /** The end is of our making, and waits for room to be said. */
  #closing: Closing | null = null;
  #closeSaid = false;
  #keepsAlive = false;
  #keepAliveMs = Number.POSITIVE_INFINITY;
  readonly #handshakeDeadlineAtMs: number;
  #engineDeadlineAtMs = Number.POSITIVE_INFINITY;
  #pingAtMs = Number.POSITIVE_INFINITY;

  constructor(
    role: 'client' | 'server',
    engine: EngineConnection,
    carrier: Carrier,
    ids: { readonly source: Uint8Array; readonly initial: Uint8Array | null },
    shared: DriverShared,
    timing: DriverTiming,
    owner: DriverOwner,
  ) {
    this.#role = role;
    // A server that sent a Retry gets its token back from where the client really is, and knows no other initial ID.
    const addressProved = role === 'client' || ids.initial === null;
    const source = {
      authenticBytes: () => engine.stats().bytesReceived,
      unreadBytes: () => this.#owner.unreadBytes,
    };
    this.#budget = new ByteBudget(source, addressProved);
    this.engine = engine;
    this.carrier = carrier;
    this.#shared = shared;
    this.#timing = timing;
    this.#owner = owner;
    this.#keys.add(shared.ids.add(ids.source, this));
    this.#initialKey = ids.initial === null ? null : shared.ids.add(ids.initial, this);
    this.#handshakeDeadlineAtMs = performance.now() + timing.handshakeTimeoutMs;
    shared.timers.update(this);
    this.mark();
  }

  /** From now on `owner` is told what happens; for the moment when a handshake becomes a connection. */
  handOver(owner: DriverOwner): void {
    this.#owner = owner;
  }

  /** Whether PINGs keep the connection alive now; on while it has streams (RFC 9000 §10.1.2). */
  set keepsAlive(value: boolean) {
    if (this.#keepsAlive === value) return;
    this.#keepsAlive = value;
    this.#pingAtMs = value ? performance.now() + this.#keepAliveMs : Number.POSITIVE_INFINITY;
    this.mark();
  }

  /** There is something to do in this turn. */
  mark(): void {
    this.#shared.turns.mark(this);
  }

  /** There is something to take in, in this turn or the next: a reader wants what has come before. */
  markForInput(): void {
    this.#shared.turns.markForInput(this);
  }

  /** Counts bytes a reader took, which is what a peer's bytes are for. */
  delivered(bytes: number): void {
    this.#budget.deliver(bytes);
  }

  receive(datagram: Buffer): void {
    if (this.#ended) return;
    if (!this.#budget.receive(datagram.length)) {
      this.close(this.#established, EXCESSIVE_LOAD, 'too many bytes that carry no XMPP');
      return;
    }
    const { engine } = this;
    this.#shared.watchdog.enter();
    try {
      engine.receive(datagram, VIRTUAL_PATH);
    } catch (thrown) {
      // The engine is closing now and will say why; a misuse of ours would come up again when it transmits.
      if (!(thrown instanceof EngineError)) throw thrown;
      this.#violated = true;
    } finally {
      this.#shared.watchdog.leave();
    }
    for (let id = engine.nextRetiredConnectionId(); id !== null; id = engine.nextRetiredConnectionId()) {
      this.#retire(connectionIdKey(id));
    }
    this.mark();
  }

  /** The system says that nobody listens at the peer's port. Believed before the handshake is done only. */
  onPortUnreachable(): void {
    if (this.#established || this.#ended) return;
    this.#refused = true;
    this.mark();
  }

  /**
   * Ends the connection with CONNECTION_CLOSE; what is not acknowledged yet is lost (RFC 9000 §10.2). It is sent at the
   * end of this turn, or as soon as the congestion window has room for it.
   */
  close(application: boolean, code: number, reason: string): void {
    if (this.#ended || this.#closing !== null) return;
    const giveUpAtMs = performance.now() + CLOSE_PERIODS * this.#probeTimeoutMs();
    this.#closing = { application, code, reason, giveUpAtMs };
    this.mark();
  }

  pollInput(nowMs: number): void {
    this.#guard(nowMs, this.#takeIn);
  }

  pollOutput(nowMs: number): void {
    this.#guard(nowMs, this.#letOut);
  }

  /** A fault while one connection is polled ends that connection; the others of the turn have theirs. */
  #guard(nowMs: number, poll: (nowMs: number) => void): void {
    if (this.#ended) return;
    try {
      poll(nowMs);
    } catch (cause) {
      if (!this.#ended) this.#end({ type: 'engine-failed', cause }, null, nowMs);
    }
  }

  readonly #takeIn = (): void => {
    // Its queue is unbounded, and a single path has no events that mean anything.
    while (this.engine.nextPathEvent() !== null);
    if (!this.#established && this.engine.established) this.#establish();
    if (this.#established) this.#owner.onInput();
  };

  readonly #letOut = (nowMs: number): void => {
    if (this.#established) this.#owner.onOutput();
    const words: LastDatagram = { bytes: null };
    const failure = this.#transmit(this.#violated ? words : null) ?? this.#sayGoodbye(words, nowMs);
    const end = failure ?? this.#judgeEnd(nowMs);
    if (end !== null) {
      this.#end(end, words.bytes, nowMs);
      return;
    }
    const deadlineMs = this.engine.deadlineMs;
    this.#engineDeadlineAtMs = deadlineMs === null ? Number.POSITIVE_INFINITY : nowMs + deadlineMs;
    this.#shared.timers.update(this);
  };

  get deadlineAtMs(): number {
    const own = this.#established ? this.#pingAtMs : this.#handshakeDeadlineAtMs;
    return Math.min(this.#engineDeadlineAtMs, own, this.#closing?.giveUpAtMs ?? Number.POSITIVE_INFINITY);
  }

  onDeadline(nowMs: number): void {
    if (this.#engineDeadlineAtMs <= nowMs) {
      this.engine.onDeadline();
      this.#engineDeadlineAtMs = Number.POSITIVE_INFINITY;
    }
    if (this.#pingAtMs <= nowMs) {
      this.engine.ping();
      this.#pingAtMs = nowMs + this.#keepAliveMs;
    }
    this.mark();
  }

  #establish(): void {
    this.#established = true;
    this.#budget.establish();
    this.#keepAliveMs = this.#effectiveKeepAliveMs();
    this.#owner.onEstablished();
  }

  /** More often than half the effective idle timeout, or the connection could die of a single lost PING. */
  #effectiveKeepAliveMs(): number {
    const { keepAliveMs, idleTimeoutMs } = this.#timing;
    if (keepAliveMs === 0) return Number.POSITIVE_INFINITY;
    const timeouts = [idleTimeoutMs, this.engine.stats().peerIdleTimeoutMs].filter((timeoutMs) => timeoutMs > 0);
    return Math.min(keepAliveMs, ...timeouts.map((timeoutMs) => Math.max(1, Math.floor(timeoutMs / 2))));
  }

  /**
   * Closes the engine once its CONNECTION_CLOSE can leave. The engine sends none while the congestion window is full, and
   * hears no acknowledgement any more after it was closed: closed too early, it would never tell the peer.
   */
  #sayGoodbye(words: LastDatagram, nowMs: number): ConnectionEnd | null {
    const closing = this.#closing;
    if (closing === null || this.#closeSaid) return null;
    if (this.#established && nowMs < closing.giveUpAtMs) {
      // Whether there is room is seen by trying: a PING is the smallest thing that needs some.
      const probe: LastDatagram = { bytes: null };
      this.engine.ping();
      const failure = this.#transmit(probe);
      if (failure !== null) return failure;
      if (probe.bytes === null) return null;
    }
    this.#closeSaid = true;
    this.engine.close(closing.application, closing.code, closing.reason);
    return this.#transmit(words);
  }

  /** Sends what the engine has, bounded. @param words receives a copy of the last datagram. */
  #transmit(words: LastDatagram | null): ConnectionEnd | null {
    const { engine } = this;
    const { sendBuffer, watchdog } = this.#shared;
    const { socket, remoteAddress, remotePort } = this.carrier;
    if (this.#established) this.#issueConnectionIds();
    for (let count = 0; count < DATAGRAMS_PER_TURN; count++) {
      let length: number;
      watchdog.enter();
      try {
        length = engine.transmit(sendBuffer.buffer);
      } catch (cause) {
        // The engine does not close in this case, and would fail again and again.
        return { type: 'engine-failed', cause };
      } finally {
        watchdog.leave();
      }
      if (length === 0) return null;
      if (words !== null) words.bytes = Uint8Array.from(sendBuffer.buffer.subarray(0, length));
      if (this.#budget.send(length)) sendBuffer.send(length, socket, remoteAddress, remotePort);
    }
    this.mark();
    return null;
  }

  #issueConnectionIds(): void {
    const { ids } = this.#shared;
    while (this.#keys.size <= SPARE_CONNECTION_IDS && this.engine.connectionIdsWanted > 0) {
      const { id, resetToken } = ids.create();
      this.engine.issueConnectionId(id, resetToken);
      this.#keys.add(ids.add(id, this));
    }
  }

  #judgeEnd(nowMs: number): ConnectionEnd | null {
    const { engine } = this;
    if (this.#refused) return { type: 'refused' };
    if (engine.draining || engine.closed || this.#closeSaid || engine.localError !== null) {
      const { peerError, localError } = engine;
      if (peerError !== null) return { type: 'closed', by: 'peer', error: peerError };
      if (localError !== null) return { type: 'closed', by: 'local', error: localError };
      if (engine.timedOut) return { type: this.#established ? 'idle-timeout' : 'handshake-timeout' };
      if (this.#closeSaid) {
        return { type: 'closed', by: 'local', error: { application: true, code: 0, reason: new Uint8Array(0) } };
      }
      return { type: 'stateless-reset' };
    }
    if (!this.#established && nowMs >= this.#handshakeDeadlineAtMs) return { type: 'handshake-timeout' };
    return null;
  }

  #end(end: ConnectionEnd, lastWords: Uint8Array | null, nowMs: number): void {
    this.#ended = true;
    const { timers, ids } = this.#shared;
    const keys = [...this.#keys, ...this.#retired, ...(this.#initialKey === null ? [] : [this.#initialKey])];
    timers.remove(this);
    const datagram = end.type === 'closed' && end.by === 'local' ? lastWords : null;
    const release = (): void => {
      for (const key of keys) ids.remove(key);
      this.#owner.onReleased();
    };
    this.#owner.onEnd(end);
    // A server lingers also without anything to say, or late packets would be taken for those of a stranger.
    if (datagram === null && (this.#role === 'client' || !this.#established)) {
      release();
      return;
    }
    const closed = new ClosedConnection({ datagram, ...this.carrier }, this.#probeTimeoutMs(), nowMs, () => {
      timers.remove(closed);
      release();
    });
    ids.redirect(keys, closed);
    timers.update(closed);
  }

  #probeTimeoutMs(): number {
    if (!this.#established) return HANDSHAKE_PROBE_TIMEOUT_MS;
    return Math.min(3 * this.engine.stats().rttMs + MAX_ACK_DELAY_MS, LONGEST_PROBE_TIMEOUT_MS);
  }

  /**
   * The engine takes a packet to a retired ID for a protocol violation, and a stateless reset in answer to one can end
   * the connection of a peer that still knows its token. So late packets to the last few lead nowhere for a while.
   */
  #retire(key: string): void {
    const { ids } = this.#shared;
    this.#keys.delete(key);
    ids.redirect([key], NOBODY);
    this.#retired.push(key);
    if (this.#retired.length > RETIRED_IDS_KEPT) ids.remove(this.#retired.shift() as string);
  }
}
