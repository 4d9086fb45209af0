import type { Watchdog } from '../watchdog.ts';
import type { ConnectionEnd } from './connection-end.ts';
import type { ConnectionIds } from './connection-ids.ts';
import type { EngineGarbage } from './engine-garbage.ts';
import type { PathCounters } from './peer-path.ts';
import type { SendBuffer } from './send-buffer.ts';
import type { TimerQueue } from './timer-queue.ts';
import type { Turns } from './turns.ts';
import type { UdpSocket } from './udp-socket.ts';

/** What a driver tells the connection it drives. */
export interface DriverOwner {
  /** Server: 0-RTT data can be read, and answered, before the handshake is complete. */
  onEarlyData(): void;
  /** Keys for application data are there. */
  onEstablished(): void;
  /** Streams may be read, and new ones taken. */
  onInput(): void;
  /** Writers that wait may go on. */
  onOutput(): void;
  /** The driver's `carrier` is another one. */
  onPathChanged(): void;
  /** Bytes the peer may have sent on streams whose readers have not taken them yet. */
  readonly unreadBytes: number;
  /** Nothing comes or goes any more. Called once. */
  onEnd(end: ConnectionEnd): void;
  /** The last trace is gone: the connection IDs lead nowhere. Called once, after {@link onEnd}. */
  onReleased(): void;
}

/** Looks after the path of a client connection. */
export interface PathWatcher {
  /** Something authentic has come over the path that was moved to last. Called once for each move. */
  onHeard(): void;
  /** So many probe timeouts (RFC 9002 §6.2) in a row were met by nothing. */
  onSilence(probeTimeouts: number): void;
  /** Nothing has been acknowledged for several probe timeouts, though the peer may be heard. */
  onBackoff(): void;
}

/** What connections of one endpoint share. */
export interface DriverShared {
  readonly turns: Turns;
  readonly timers: TimerQueue;
  readonly ids: ConnectionIds<UdpSocket>;
  readonly sendBuffer: SendBuffer;
  readonly watchdog: Watchdog;
  readonly pathCounters: PathCounters;
  readonly garbage: EngineGarbage;
}

/** Timing of one connection, in milliseconds. */
export interface DriverTiming {
  readonly handshakeTimeoutMs: number;
  /** Ours; the lower of both peers' counts. 0 for none. */
  readonly idleTimeoutMs: number;
  /** 0 for no keep-alive. */
  readonly keepAliveMs: number;
}
