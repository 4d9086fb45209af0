import { type EngineConnection, EngineError, type EngineStats } from '../engine/port.ts';
import { type BudgetSource, ByteBudget } from './byte-budget.ts';
import type { Carrier } from './carrier.ts';
import { ClosedConnection } from './closed-connection.ts';
import { type ConnectionEnd, endOfEngine, isOurs } from './connection-end.ts';
import type { Addressee } from './connection-ids.ts';
import type { DriverOwner, DriverShared, DriverTiming, PathWatcher } from './driver-owner.ts';
import { IssuedConnectionIds, LEAST_ISSUING_BYTES } from './issued-connection-ids.ts';
import { KeepAlive } from './keep-alive.ts';
import { LossDeadline } from './loss-deadline.ts';
import { isLoneHandshakePacket, MIN_INITIAL_DATAGRAM_BYTES } from './packet-header.ts';
import { PeerPath } from './peer-path.ts';
import { probeTimeoutOf, Silence } from './silence.ts';
import type { Deadlined } from './timer-queue.ts';
import type { TurnTaker } from './turns.ts';
import type { UdpSocket } from './udp-socket.ts';
import { VIRTUAL_PATH } from './virtual-path.ts';

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

/** Sent when a peer has used up its byte budget; as a transport code before the handshake is done (INTERNAL_ERROR). */
const EXCESSIVE_LOAD = 0x01;
/** Probe timeouts that CONNECTION_CLOSE may wait for room. */
const CLOSE_PERIODS = 3;

/** The engine sends as much as the congestion window allows; a turn does not, so that its neighbours come in between. */
const DATAGRAMS_PER_TURN = 64;
/** A packet with one frame in it and an acknowledgement; less room is of no use. */
const LEAST_DATAGRAM_BYTES = 64;
/**
 * PINGs sent at once over a new path: with the acknowledgement of the third one the engine sees that what is missing of
 * the time before was lost (RFC 9002 §6.1.1), and the peer may answer each with three times its size.
 */
const PINGS_OF_A_MOVE = 4;
/** Before a round trip was measured; a refused client that hears nothing gives up by itself. */
const HANDSHAKE_PROBE_TIMEOUT_MS = 50;

/** Moves datagrams and time between one engine connection and the endpoint. */
export class ConnectionDriver implements Addressee<UdpSocket>, BudgetSource, Deadlined, TurnTaker {
  readonly engine: EngineConnection;
  /** Looks after the path, in a client. */
  pathWatcher: PathWatcher | null = null;
  readonly #shared: DriverShared;
  readonly #role: 'client' | 'server';
  #owner: DriverOwner;
  readonly #timing: DriverTiming;
  readonly #budget: ByteBudget;
  readonly #issued: IssuedConnectionIds;
  readonly #path: PeerPath;
  /** Of the ID the last datagram was addressed to. */
  #lastKey: string | null = null;
  #pingsDue = 0;
  /** Streams can be used: the handshake is complete, or early data has a part in it. */
  #isOpen: boolean;
  #established = false;
  #ended = false;
  #refused = false;
  /** The peer broke the protocol: the engine's next datagram says so. */
  #violated = false;
  #overloaded = false;
  /** The end is of our making, and waits for room to be said. */
  #closing: Closing | null = null;
  #closeSaid = false;
  readonly #silence = new Silence();
  readonly #keepAlive = new KeepAlive();
  readonly #lossDeadline = new LossDeadline();
  #holdUntilMs = 0;
  #isHurried = false;
  /** Known when the connection is established; `Infinity` for none. */
  #idleTimeoutMs = Number.POSITIVE_INFINITY;
  readonly #handshakeDeadlineAtMs: number;
  #engineDeadlineAtMs = Number.POSITIVE_INFINITY;

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
    this.#budget = new ByteBudget(this, addressProved);
    this.engine = engine;
    this.#isOpen = engine.earlyData === 'offered';
    this.#shared = shared;
    this.#timing = timing;
    this.#owner = owner;
    this.#issued = new IssuedConnectionIds(engine, shared.ids, this, ids.source, ids.initial);
    this.#path = new PeerPath(role, engine, this.#issued, shared.pathCounters, carrier);
    this.#handshakeDeadlineAtMs = performance.now() + timing.handshakeTimeoutMs;
    shared.timers.update(this);
    this.mark();
  }

  /** The path in use; a server's is one whose remote address the peer has proved to be its own (RFC 9000 §8.2). */
  get carrier(): Carrier {
    return this.#path.proved;
  }

  /** For the budget. */
  stats(): EngineStats {
    return this.engine.stats();
  }

  /** For the budget. */
  get streamBytesWritten(): number {
    return this.engine.streamBytesWritten;
  }

  /** For the budget. */
  get unreadBytes(): number {
    return this.#owner.unreadBytes;
  }

  /** Whether a probe timeout has passed since something came. */
  get isSilent(): boolean {
    return this.#silence.isOnThisPath;
  }

  /** Whether nothing new is to be written to streams for a moment. `onOutput` of the owner comes when it is over. */
  get holdsBack(): boolean {
    return this.#holdUntilMs > 0;
  }

  /** Nothing is held back from now on: what is written may be the last. */
  hurry(): void {
    this.#isHurried = true;
    this.#holdUntilMs = 0;
    this.mark();
  }

  /** From now on `owner` is told what happens; for the moment when a handshake becomes a connection. */
  handOver(owner: DriverOwner): void {
    this.#owner = owner;
  }

  /** Whether PINGs keep the connection alive now; on while it has streams (RFC 9000 §10.1.2). */
  set keepsAlive(value: boolean) {
    if (this.#keepAlive.turn(value)) this.mark();
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

  receive(datagram: Buffer, remoteAddress: string, remotePort: number, socket: UdpSocket, key: string | null): void {
    if (this.#ended || !this.#mayReceiveAt(key)) return;
    if (!this.#budget.receive(datagram.length)) {
      this.#overloaded = true;
      this.close(this.#established, EXCESSIVE_LOAD, 'too many bytes that carry no XMPP');
      return;
    }
    const isNews =
      this.#established && (this.#silence.isOnAnyPath || this.#path.isNews(socket, remoteAddress, remotePort));
    if (isNews) this.#receiveNews(datagram, { remoteAddress, remotePort, socket }, key);
    else if (!this.#budget.isAddressProved && isLoneHandshakePacket(datagram)) this.#receiveProof(datagram);
    else this.#hand(datagram);
    this.markForInput();
  }

  /**
   * Whether the ID of `key` may still be used. The engine takes a packet to a retired ID for a violation, but only one that is
   * addressed to another ID than the packet before can be late in this way, so others need not ask what was retired.
   */
  #mayReceiveAt(key: string | null): boolean {
    if (key === this.#lastKey && key !== null) return true;
    this.#lastKey = key;
    this.#issued.collectRetired();
    return key === null || this.#shared.ids.find(key) === this;
  }

  #hand(datagram: Buffer): void {
    this.#shared.watchdog.enter();
    try {
      this.engine.receive(datagram, VIRTUAL_PATH);
    } catch (thrown) {
      // The engine is closing now and will say why; a misuse of ours would come up again when it transmits.
      if (!(thrown instanceof EngineError)) throw thrown;
      this.#violated = true;
    } finally {
      this.#shared.watchdog.leave();
    }
  }

  /** As {@link #hand}. @returns whether there was something authentic in it. */
  #handAndAsk(datagram: Buffer): boolean {
    const before = this.engine.stats().packetsReceived;
    this.#hand(datagram);
    return this.engine.stats().packetsReceived > before;
  }

  /** One that proves the address, if it is authentic. */
  #receiveProof(datagram: Buffer): void {
    if (this.#handAndAsk(datagram)) this.#budget.proveAddress();
  }

  /** A datagram that came another way than the last one, or after a silence: whether it is authentic makes a difference. */
  #receiveNews(datagram: Buffer, from: Carrier, key: string | null): void {
    const { length } = datagram;
    if (!this.#handAndAsk(datagram)) {
      this.#silence.onMeaningless();
      return;
    }
    this.#silence.onAuthentic();
    if (!this.#path.isNews(from.socket, from.remoteAddress, from.remotePort)) return;
    const has = this.#path.onAuthentic(from, length, key, performance.now());
    if (has.changed) this.#owner.onPathChanged();
    if (has.answered) this.pathWatcher?.onHeard();
    this.#shared.timers.update(this);
  }

  /**
   * Goes over to another path of this client (RFC 9000 §9.2). Whether the peer can be reached over it shows when
   * something comes back, which the {@link pathWatcher} is told.
   */
  moveTo(carrier: Carrier): void {
    if (this.#ended) return;
    this.#pingsDue = PINGS_OF_A_MOVE;
    const nowMs = performance.now();
    const nextProbeAtMs = Number.isFinite(this.#engineDeadlineAtMs) ? Math.max(nowMs, this.#engineDeadlineAtMs) : nowMs;
    this.#silence.onMoved(nextProbeAtMs, this.probeTimeoutMs);
    this.#path.moveTo(carrier);
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
    const giveUpAtMs = performance.now() + CLOSE_PERIODS * this.probeTimeoutMs;
    this.#closing = { application, code, reason, giveUpAtMs };
    this.mark();
  }

  pollInput(nowMs: number): void {
    if (this.#ended) return;
    try {
      if (!this.#established) this.#followHandshake();
      if (this.#isOpen) this.#owner.onInput();
    } catch (cause) {
      this.#onFault(cause, nowMs);
    }
  }

  pollOutput(nowMs: number): void {
    if (this.#ended) return;
    try {
      this.#letOut(nowMs);
    } catch (cause) {
      this.#onFault(cause, nowMs);
    }
  }

  /** A fault while one connection is polled ends that connection; the others of the turn have theirs. */
  #onFault(cause: unknown, nowMs: number): void {
    if (!this.#ended) this.#end({ type: 'engine-failed', cause }, null, nowMs);
  }

  #followHandshake(): void {
    if (this.engine.established) {
      this.#isOpen = true;
      this.#establish();
    } else if (!this.#isOpen && this.engine.earlyData === 'accepted') {
      this.#isOpen = true;
      this.#owner.onEarlyData();
    }
  }

  #letOut(nowMs: number): void {
    if (this.#isOpen && !this.holdsBack) this.#owner.onOutput();
    const words: LastDatagram = { bytes: null };
    const kept = this.#violated ? words : null;
    // A server may send little before the handshake is done, and last words are better than more of it.
    const isRefusal = this.#role === 'server' && this.#closing !== null && !this.#established;
    const failure =
      (isRefusal ? null : (this.#transmit(kept) ?? this.#replaceRetired(kept))) ?? this.#sayGoodbye(words, nowMs);
    const end = failure ?? this.#judgeEnd(nowMs);
    if (end !== null) {
      this.#end(end, words.bytes, nowMs);
      return;
    }
    // Their queue is unbounded, and a single path has no events that mean anything.
    while (this.engine.nextPathEvent() !== null);
    const deadlineMs = this.engine.deadlineMs;
    this.#engineDeadlineAtMs = deadlineMs === null ? Number.POSITIVE_INFINITY : nowMs + deadlineMs;
    if (this.#lossDeadline.isDoubled) this.#hasNothingInFlight(deadlineMs);
    // A client asks none of its IDs back.
    if (this.#role === 'server' && this.#issued.isUnsettled) this.#settle(deadlineMs, nowMs);
    if (this.pathWatcher !== null && deadlineMs !== null && deadlineMs <= this.#idleTimeoutMs / 2) {
      this.#silence.lookForBackoff(this.pathWatcher, this.engine, deadlineMs, nowMs);
    }
    this.#shared.timers.update(this);
  }

  #settle(deadlineMs: number | null, nowMs: number): void {
    const didHoldBack = this.holdsBack;
    // With less room an ID may wait for more, and not be in flight.
    const isQuiet = this.#roomBytes() >= LEAST_ISSUING_BYTES && this.#hasNothingInFlight(deadlineMs);
    const holdUntilMs = this.#issued.settle(isQuiet, nowMs);
    this.#holdUntilMs = this.#isHurried ? 0 : holdUntilMs;
    // Writers go on; and where something is to be proved, IDs can be asked back now, even if nothing more is heard.
    if (didHoldBack !== this.holdsBack || (isQuiet && this.#path.provingNumber !== null)) this.mark();
  }

  /** Connection IDs are supplied when everything that somebody waits for has been sent. */
  #replaceRetired(words: LastDatagram | null): ConnectionEnd | null {
    return this.#issued.collectRetired() ? this.#transmit(words) : null;
  }

  get deadlineAtMs(): number {
    const own = this.#established ? this.#keepAlive.dueAtMs : this.#handshakeDeadlineAtMs;
    return Math.min(
      this.#engineDeadlineAtMs,
      own,
      this.#path.deadlineAtMs,
      this.#closing?.giveUpAtMs ?? Number.POSITIVE_INFINITY,
      this.holdsBack ? this.#holdUntilMs : Number.POSITIVE_INFINITY,
    );
  }

  onDeadline(nowMs: number): void {
    if (this.#engineDeadlineAtMs <= nowMs) {
      this.engine.onDeadline();
      this.#engineDeadlineAtMs = Number.POSITIVE_INFINITY;
      // Deadlines are told in whole milliseconds: one that still stands was not due yet.
      if (this.engine.deadlineMs !== 0) this.#onProbeTimeout(nowMs);
    }
    if (this.#path.deadlineAtMs <= nowMs) this.#path.giveUp();
    if (this.#keepAlive.dueAtMs <= nowMs) {
      this.engine.ping();
      this.#keepAlive.schedule(nowMs);
    }
    this.mark();
  }

  #onProbeTimeout(nowMs: number): void {
    this.#lossDeadline.onPassed(nowMs, this.engine.rttMs);
    const inARow = this.#silence.onProbeTimeout();
    if (!this.#isForgotten) this.pathWatcher?.onSilence(inARow);
  }

  get #isForgotten(): boolean {
    return this.#role === 'client' && this.#silence.meansForgotten;
  }

  #establish(): void {
    this.#established = true;
    this.#budget.establish();
    this.#idleTimeoutMs = this.#effectiveIdleTimeoutMs();
    this.#keepAlive.establish(this.#timing.keepAliveMs, this.#idleTimeoutMs);
    this.#owner.onEstablished();
  }

  /** The smaller one of both ends, as far as they have one (RFC 9000 §10.1). */
  #effectiveIdleTimeoutMs(): number {
    const timeouts = [this.#timing.idleTimeoutMs, this.engine.peerIdleTimeoutMs].filter((timeoutMs) => timeoutMs > 0);
    return Math.min(Number.POSITIVE_INFINITY, ...timeouts);
  }

  /**
   * Closes the engine once its CONNECTION_CLOSE can leave. The engine sends none while the congestion window is full, and
   * hears no acknowledgement any more after it was closed: closed too early, it would never tell the peer.
   */
  #sayGoodbye(words: LastDatagram, nowMs: number): ConnectionEnd | null {
    const closing = this.#closing;
    if (closing === null || this.#closeSaid) return null;
    if (this.#established && nowMs < closing.giveUpAtMs && !this.#hasNothingInFlight(this.engine.deadlineMs)) {
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

  #hasNothingInFlight(deadlineMs: number | null): boolean {
    return this.#lossDeadline.isOfIdleness(deadlineMs, this.#idleTimeoutMs, this.engine);
  }

  /** Sends what the engine has, bounded. @param words receives a copy of the last datagram. */
  #transmit(words: LastDatagram | null): ConnectionEnd | null {
    const { engine } = this;
    const { sendBuffer, watchdog } = this.#shared;
    const path = this.#path;
    const { socket, remoteAddress, remotePort } = path.carrier;
    if (this.#established) this.#issueConnectionIds();
    for (let count = 0; count < DATAGRAMS_PER_TURN; count++) {
      const room = this.#roomBytes();
      if (room < LEAST_DATAGRAM_BYTES) return null;
      const { buffer } = sendBuffer;
      if (this.#pingsDue > 0) {
        this.#pingsDue -= 1;
        engine.ping();
      }
      let length: number;
      watchdog.enter();
      try {
        length = engine.transmit(room === buffer.length ? buffer : buffer.subarray(0, room));
      } catch (cause) {
        // The engine does not close in this case, and would fail again and again.
        return { type: 'engine-failed', cause };
      } finally {
        watchdog.leave();
      }
      if (length === 0) return null;
      if (words !== null) words.bytes = new Uint8Array(buffer.subarray(0, length));
      path.onSent(length);
      if (!this.#budget.send(length)) continue;
      sendBuffer.send(length, socket, remoteAddress, remotePort);
    }
    this.mark();
    return null;
  }

  /** Largest datagram that may be sent now, in bytes. */
  #roomBytes(): number {
    const roomBytes = Math.min(this.#shared.sendBuffer.buffer.length, this.#path.allowanceBytes);
    // Last words are kept where they may not be sent yet.
    if (this.#closing !== null || this.#violated) return roomBytes;
    // In less room an Initial packet could not be padded as it has to be (RFC 9000 §14.1).
    const { allowanceBytes } = this.#budget;
    return allowanceBytes < MIN_INITIAL_DATAGRAM_BYTES ? 0 : Math.min(roomBytes, allowanceBytes);
  }

  #issueConnectionIds(): void {
    const { provingNumber } = this.#path;
    if (provingNumber === null) {
      this.#issued.topUp();
      return;
    }
    // Which IDs may be asked back hangs on those that are retired already.
    this.#issued.collectRetired();
    this.#issued.renew(provingNumber, this.#roomBytes());
  }

  #judgeEnd(nowMs: number): ConnectionEnd | null {
    if (this.#refused) return { type: 'refused' };
    if (this.#isForgotten) return { type: 'forgotten' };
    const end = endOfEngine(this.engine, { wasEstablished: this.#established, closeWasSaid: this.#closeSaid });
    if (end !== null) return this.#overloaded && isOurs(end) ? { type: 'excessive-load' } : end;
    if (!this.#established && nowMs >= this.#handshakeDeadlineAtMs) return { type: 'handshake-timeout' };
    return null;
  }

  #end(end: ConnectionEnd, lastWords: Uint8Array | null, nowMs: number): void {
    this.#ended = true;
    const { timers, ids } = this.#shared;
    const { keys } = this.#issued;
    timers.remove(this);
    const datagram = isOurs(end) ? lastWords : null;
    const release = (): void => {
      for (const key of keys) ids.remove(key);
      this.#owner.onReleased();
      if (end.type === 'excessive-load') this.#shared.garbage.add();
    };
    this.#owner.onEnd(end);
    // A server lingers also without anything to say, or late packets would be taken for those of a stranger.
    if (datagram === null && (this.#role === 'client' || !this.#established)) {
      release();
      return;
    }
    const closed = new ClosedConnection({ datagram, ...this.carrier }, this.probeTimeoutMs, nowMs, () => {
      timers.remove(closed);
      release();
    });
    ids.redirect(keys, closed);
    timers.update(closed);
  }

  /** How long it takes to see that an answer does not come (RFC 9002 §6.2.1), in milliseconds. */
  get probeTimeoutMs(): number {
    if (!this.#established) return HANDSHAKE_PROBE_TIMEOUT_MS;
    return probeTimeoutOf(this.engine.rttMs);
  }
}
