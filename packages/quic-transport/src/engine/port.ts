/**
 * What this package needs of a QUIC engine: a state machine that takes datagrams and gives datagrams, and knows
 * neither sockets nor timers. `quiche.ts` fills it today; another engine takes its place by filling it too and passing
 * `test/engine/`. Every number is checked or clamped by the implementation before it reaches native code.
 */

/** An address as the engine sees it; on the server this is not the peer's real one (see `docs/decisions/`). */
export interface EngineAddress {
  /** Literal IPv4 or IPv6 address. */
  readonly host: string;
  readonly port: number;
}

/** The two ends of a path as the engine sees them. Give the same object again rather than an equal one. */
export interface EnginePath {
  readonly local: EngineAddress;
  readonly remote: EngineAddress;
}

/** A private key and the chain that belongs to it, PEM, end-entity first. */
export interface EngineCredential {
  readonly chainPem: Uint8Array;
  readonly keyPem: Uint8Array;
}

/** Settings shared by many connections; see {@link Engine.createConfig}. */
export interface EngineConfigOptions {
  readonly role: 'client' | 'server';
  /** Application protocols, in order of preference; each 1 to 255 bytes, at least one (RFC 7301). */
  readonly alpn: readonly string[];
  readonly credential: EngineCredential | null;
  /**
   * Server: ask the client for its certificate. Whatever it presents is taken (self-signed, expired, unknown CA): the
   * chain is judged by our policy. An engine may be unable to go on with a client that presents none; it then ends the
   * handshake with the alert certificate_required (quiche 0.18 does). A client always gets the server's chain.
   */
  readonly requestPeerCertificate: boolean;
  /** `max_idle_timeout` in milliseconds (RFC 9000 §10.1). */
  readonly idleTimeoutMs: number;
  /** Largest UDP payload sent and received, in bytes; at least 1200 (RFC 9000 §14). */
  readonly maxDatagramBytes: number;
  /** Credit a new stream starts with, in bytes (RFC 9000 §4.1). */
  readonly streamWindowBytes: number;
  /** Largest window a stream may grow to, in bytes. */
  readonly maxStreamWindowBytes: number;
  /** Bidirectional streams the peer may have open at once; 0 for none (RFC 9000 §4.6). */
  readonly maxPeerStreams: number;
  /** `active_connection_id_limit` (RFC 9000 §5.1.1), at least 2. */
  readonly activeConnectionIdLimit: number;
  /**
   * 0-RTT (RFC 9001 §4.6). A server gives out tickets for it and takes it, a client offers it where its ticket allows it.
   * @defaultValue false
   */
  readonly earlyData?: boolean;
}

/** Opaque outside the engine. */
export interface EngineConfig {
  readonly role: 'client' | 'server';
}

/** An error code with its space (RFC 9000 §20): transport codes (0x1c) or application codes (0x1d). */
export interface EngineCloseError {
  readonly application: boolean;
  /** Rounded when above 2^53. */
  readonly code: number;
  /** Reason phrase, bytes that need not be UTF-8. */
  readonly reason: Uint8Array;
}

/** Why an engine call failed. */
export type EngineFailure =
  /** The peer reset the stream; `code` is its application code (RFC 9000 §19.4). */
  | 'stream-reset'
  /** The peer asked to stop sending; `code` is its application code (RFC 9000 §19.5). */
  | 'stream-stopped'
  /** The stream is unknown, or finished and forgotten. */
  | 'stream-unknown'
  /** The peer grants no further stream. */
  | 'stream-limit'
  /** Written after FIN or reset. */
  | 'stream-finished'
  /** The datagram or frame broke the protocol; the connection is closing, transmit to tell the peer. */
  | 'protocol'
  /** TLS failed; the connection is closing, transmit to tell the peer. */
  | 'tls'
  /** An argument or state that the engine does not take. */
  | 'misuse';

/** A call into the engine failed in a known way. Never matched by text. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly failure: EngineFailure;
  /** Application code of a reset or stop, else null. */
  readonly code: number | null;

  constructor(failure: EngineFailure, message: string, code: number | null = null) {
    super(message);
    this.failure = failure;
    this.code = code;
  }
}

/** Something happened to a path (RFC 9000 §8.2, §9). */
export interface EnginePathEvent {
  readonly type: 'new' | 'validated' | 'failed' | 'closed' | 'connection-id-reused' | 'peer-migrated';
}

/** Counters of one connection. */
export interface EngineStats {
  /** Packets that were authentic. */
  readonly packetsReceived: number;
  /** Bytes of those packets. */
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsLost: number;
}

/**
 * One QUIC connection.
 *
 * Inputs: `receive`, `onDeadline`, `write`, `shutdown*`, `close`, `ping`, `issueConnectionId`.
 * After any of them, poll in this order: `nextRetiredConnectionId` and `nextPathEvent` until null, readable streams,
 * `transmit` until 0, then `closed` and `deadlineMs`.
 */
export interface EngineConnection {
  /**
   * Takes one datagram; it is decrypted in place, so the caller gives it up. Junk is ignored.
   * @throws EngineError `protocol` or `tls`: the connection is closing; transmit once more and it tells the peer.
   */
  receive(datagram: Uint8Array, path: EnginePath): void;
  /**
   * Writes the next datagram into `into`, and makes it no longer than that; what must go and does not fit stays for later.
   * @returns its length in bytes, 0 when there is nothing to send now.
   * @throws EngineError `misuse`: the connection can never send again; drop it.
   */
  transmit(into: Uint8Array): number;
  /** The path of the datagram {@link transmit} wrote last. */
  readonly lastTransmitPath: EnginePath;

  /** Whether any stream may have something to read; false positives are possible. */
  readonly hasReadable: boolean;
  /** Streams with data, FIN or reset to read. Read each once per turn: a hostile peer can keep one listed for ever. */
  readableStreams(): Iterable<number>;
  /** Whether this stream has data, FIN or reset to read; false for an unknown one. Much cheaper than the list. */
  isReadable(streamId: number): boolean;
  /**
   * @returns bytes read and whether FIN was reached, or null when nothing is there.
   * @throws EngineError `stream-reset`, `stream-unknown`.
   */
  read(streamId: number, into: Uint8Array): readonly [bytes: number, fin: boolean] | null;
  /**
   * @returns bytes taken, fewer than given when the congestion or flow-control window is full; `fin` counts only when
   *   all were taken. For an empty write with `fin`, 1 tells that FIN was taken and 0 that it was not.
   * @throws EngineError `stream-stopped`, `stream-limit`, `stream-unknown`, `stream-finished`.
   */
  write(streamId: number, bytes: Uint8Array, fin: boolean): number;
  /**
   * Bytes the stream takes now.
   * @throws EngineError `stream-stopped`, `stream-unknown`.
   */
  capacity(streamId: number): number;
  /** Streams a write or reset may go on with, or that the peer asked to stop. */
  writableStreams(): Iterable<number>;
  /** Sends STOP_SENDING with an application code; nothing further is read. Unknown streams are ignored. */
  stopReading(streamId: number, code: number): void;
  /** Sends RESET_STREAM with an application code; nothing further is written. Unknown streams are ignored. */
  resetWriting(streamId: number, code: number): void;
  /**
   * Orders what is sent on the stream among the others: from 0 (first) to 7, 3 where nothing was said (RFC 9218 §4.1);
   * those of one urgency share (incremental, RFC 9218 §4.2). Counts for bytes already taken, too. The stream has to be
   * open, or to have been: then nothing happens.
   */
  setUrgency(streamId: number, urgency: number): void;
  /** Bidirectional streams we may still open (RFC 9000 §4.6). */
  readonly peerStreamsLeft: number;

  /** Milliseconds until {@link onDeadline} is due; null when nothing is armed. Fits a Node.js timer. */
  readonly deadlineMs: number | null;
  /** The deadline has passed. Early is harmless, late is fine. */
  onDeadline(): void;
  /** Sends something that the peer must acknowledge (RFC 9000 §10.1.2). */
  ping(): void;
  /** Closes with CONNECTION_CLOSE; `reason` is cut to 200 bytes. A second call does nothing. */
  close(application: boolean, code: number, reason: string): void;

  /** Keys for application data are there. On the server this means the handshake is complete. */
  readonly established: boolean;
  /** The peer closed; what was received can still be read. */
  readonly draining: boolean;
  readonly closed: boolean;
  readonly timedOut: boolean;
  readonly localError: EngineCloseError | null;
  readonly peerError: EngineCloseError | null;

  /** DER, end-entity first, as presented; empty when nothing was presented or the handshake is not complete. */
  peerCertificates(): readonly Uint8Array[];
  /** The protocol selected, empty before or without. */
  readonly alpn: string;
  /** The server name received (server) or sent (client). */
  readonly serverName: string | null;
  /** Means something once established; on a server also while early data comes. */
  readonly resumed: boolean;
  /**
   * What becomes of 0-RTT. `offered` is what a client says from its beginning until the handshake is complete: streams can
   * be written meanwhile, and what was written reaches the server once in any case. `accepted` is said by a server from
   * the moment on in which streams can be read and written, and by both when the handshake is complete.
   */
  readonly earlyData: 'none' | 'offered' | 'accepted' | 'rejected';
  /** Client: what a later connection can resume by, the newest that came; null before any. It holds secrets. */
  readonly session: Uint8Array | null;

  /** Smoothed round-trip time, in milliseconds. */
  readonly rttMs: number;
  /** Bytes of streams the engine has taken from us to send, each once. */
  readonly streamBytesWritten: number;
  /** The peer's `max_idle_timeout` in milliseconds (RFC 9000 §18.2); 0 for none, and before the handshake. */
  readonly peerIdleTimeoutMs: number;
  /** The peer's `active_connection_id_limit` (RFC 9000 §18.2): IDs of ours it keeps; 0 before the handshake. */
  readonly connectionIdLimit: number;
  /** Spare connection IDs the peer would still take; 0 before the handshake. */
  readonly connectionIdsWanted: number;
  /** Issues one; all of a connection have the same length. @param resetToken 16 bytes (RFC 9000 §10.3). */
  issueConnectionId(connectionId: Uint8Array, resetToken: Uint8Array): void;
  /**
   * Issues one that takes the place of the oldest, which the peer is asked to retire (Retire Prior To, RFC 9000 §19.15).
   * The caller has made sure that the frame that brought the oldest was acknowledged, and no copy of it is in flight: this
   * engine would send a lost NEW_CONNECTION_ID again with a Retire Prior To above its own number, which breaks the protocol.
   * @returns false when too many already wait to be retired; nothing is issued then.
   */
  replaceConnectionId(connectionId: Uint8Array, resetToken: Uint8Array): boolean;
  /**
   * Goes over to another ID of the peer's and retires the one in use (RFC 9000 §5.1.2), for a change of address.
   * @returns false when the peer has issued no spare one.
   */
  changePeerConnectionId(): boolean;
  /** The next of our IDs that the peer has retired; take it out of the routing table before the next `receive`. */
  nextRetiredConnectionId(): Uint8Array | null;
  nextPathEvent(): EnginePathEvent | null;
  stats(): EngineStats;
}

/** What a new server connection is made from. */
export interface EngineAccept {
  /** Our connection ID: after Retry the one the Retry named, else a fresh one. */
  readonly sourceConnectionId: Uint8Array;
  /** The DCID of the client's very first Initial, where a Retry was sent; else null. */
  readonly originalDestinationConnectionId: Uint8Array | null;
  readonly path: EnginePath;
  /** Stateless reset token of `sourceConnectionId`, 16 bytes. */
  readonly resetToken: Uint8Array;
  /** @defaultValue keys of the configuration's own, unknown to all others */
  readonly ticketKeys?: EngineTicketKeys;
}

/** Keys of session tickets, {@link TICKET_KEY_BYTES} bytes each: a name of 16, which every ticket begins with, and secrets. */
export interface EngineTicketKeys {
  /** Seals the tickets given out. Those of a connection with early data are sealed by `opening`. */
  readonly sealing: Uint8Array;
  /** Opens the ticket the client comes with; another one leads to a full handshake. */
  readonly opening: Uint8Array;
}

/** Length of a session ticket key. */
export const TICKET_KEY_BYTES = 48;

/** What a new client connection is made from. */
export interface EngineConnect {
  /** Server name to send (RFC 6066 §3), A-labels. */
  readonly serverName: string;
  readonly sourceConnectionId: Uint8Array;
  readonly path: EnginePath;
  /** {@link EngineConnection.session} of an earlier connection; one that is of no use is ignored. @defaultValue null */
  readonly session?: Uint8Array | null;
}

/** Makes connections. */
export interface Engine {
  /** For logs, for example `quiche 0.18 (@matrixai/quic 2.0.9)`. */
  readonly name: string;
  /** @throws EngineError `misuse` when an option cannot work. */
  createConfig(options: EngineConfigOptions): EngineConfig;
  accept(config: EngineConfig, options: EngineAccept): EngineConnection;
  connect(config: EngineConfig, options: EngineConnect): EngineConnection;
}
