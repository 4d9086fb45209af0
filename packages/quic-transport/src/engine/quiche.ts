import type {
  Engine,
  EngineAccept,
  EngineCloseError,
  EngineConfig,
  EngineConfigOptions,
  EngineConnect,
  EngineConnection,
  EnginePath,
  EnginePathEvent,
  EngineStats,
} from './port.ts';
import { EngineError } from './port.ts';
import { type NativeCloseError, type NativeConnection, type NativeReceiveInfo, quiche } from './quiche-binding.ts';
import { QuicheConfig, wholeNumber } from './quiche-config.ts';
import { type EngineActivity, toEngineError } from './quiche-errors.ts';
import { checkTicketKeys, QuicheHandshake, tryOut } from './quiche-handshake.ts';

/** Longest delay a Node.js timer can hold; the engine's own can be longer (RFC 9000 §10.1 allows 2^62-1). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A longer reason fits no packet, and then nothing at all would be sent. */
const MAX_REASON_BYTES = 200;

/** RFC 9000 §17.2. */
const MAX_CONNECTION_ID_BYTES = 20;

/** RFC 9000 §18.2: what a peer that names no limit, or one below, is taken to keep. */
const LEAST_ID_LIMIT = 2;

/**
 * IDs that the peer has had retired itself leave gaps, which are looked through: so many numbers in a connection's life, as
 * each takes microseconds, and a hostile peer makes gaps without end.
 */
const SEQUENCE_NUMBERS_TRIED = 8_192;

/** RFC 9000 §10.3. */
const RESET_TOKEN_BYTES = 16;

/** Each attempt on a stream that is not done yet costs an exception, some microseconds: so few per datagram. */
const COLLECTIONS_PER_DATAGRAM = 8;

/** RFC 9218 §4.1. */
const USUAL_URGENCY = 3;
/** The engine orders by 0 to 255, and begins with what is usual; the eight steps of ours lie around that. */
const NATIVE_URGENCY = { usual: 127, step: 16 };

const NO_BYTES = new Uint8Array(0);

/** The engine of Cloudflare's quiche, through the native binding of `@matrixai/quic`. */
export class QuicheEngine implements Engine {
  readonly name = 'quiche 0.18 (@matrixai/quic 2.0)';

  createConfig(options: EngineConfigOptions): EngineConfig {
    return attempt('other', () => new QuicheConfig(options));
  }

  accept(config: EngineConfig, options: EngineAccept): EngineConnection {
    const own = ownConfig(config, 'server');
    const { native } = own;
    const { path } = options;
    const id = checkedConnectionId(options.sourceConnectionId);
    const token = resetTokenNumber(options.resetToken);
    const { ticketKeys } = options;
    if (ticketKeys !== undefined) checkTicketKeys(ticketKeys);
    return attempt('other', () => {
      // The configuration is copied by accept, which makes this a setting of the one connection.
      native.setStatelessResetToken(token);
      const original = options.originalDestinationConnectionId;
      const connection = quiche.Connection.accept(id, original, path.local, path.remote, native);
      const keys = ticketKeys === undefined ? null : { config: own, keys: ticketKeys };
      return new QuicheConnection(connection, path, id.length, QuicheHandshake.ofServer(connection, keys));
    });
  }

  connect(config: EngineConfig, options: EngineConnect): EngineConnection {
    const { native } = ownConfig(config, 'client');
    const { path } = options;
    const id = checkedConnectionId(options.sourceConnectionId);
    if (!/^[\w.-]{1,255}$/.test(options.serverName)) {
      throw new EngineError('misuse', 'a server name consists of letters, digits, hyphens, underscores and dots');
    }
    const session = options.session ?? null;
    return attempt('other', () => {
      const connect = (): NativeConnection =>
        quiche.Connection.connect(options.serverName, id, path.local, path.remote, native);
      // One that cannot be used shows only when it is, and leaves a connection behind that is of no use either.
      const use = session === null ? 'nothing' : tryOut(connect(), session);
      const connection = connect();
      if (session !== null && use !== 'nothing') connection.setSession(session);
      const handshake = QuicheHandshake.ofClient(connection, use === 'early-data');
      return new QuicheConnection(connection, path, id.length, handshake);
    });
  }
}

class QuicheConnection implements EngineConnection {
  readonly lastTransmitPath: EnginePath;
  readonly #native: NativeConnection;
  readonly #receiveInfo: NativeReceiveInfo;
  readonly #connectionIdBytes: number;
  readonly #handshake: QuicheHandshake;
  /** Streams the peer has reset, which the engine forgets only when read once more after our side is done. */
  #resetByPeer: Set<number> | null = null;
  #connectionIdLimit = 0;
  #peerIdleTimeoutMs = 0;
  #streamBytesWritten = 0;
  /** Below it no ID of the peer's is in use. */
  #peerSequenceNumber = 0;
  #fruitlessTries = 0;

  constructor(native: NativeConnection, path: EnginePath, connectionIdBytes: number, handshake: QuicheHandshake) {
    this.#native = native;
    this.lastTransmitPath = path;
    this.#receiveInfo = { from: path.remote, to: path.local };
    this.#connectionIdBytes = connectionIdBytes;
    this.#handshake = handshake;
  }

  receive(datagram: Uint8Array, path: EnginePath): void {
    // Never a second path: quiche 0.18 can be brought into an endless loop by one (CVE-2025-7054).
    if (datagram.length === 0 || (path !== this.lastTransmitPath && !isSamePath(path, this.lastTransmitPath))) return;
    this.#handshake.beforeStep();
    try {
      this.#native.recv(datagram, this.#receiveInfo);
    } catch (thrown) {
      throw toEngineError(thrown, 'receive');
    } finally {
      this.#handshake.afterStep();
    }
    if (this.#resetByPeer !== null) this.#collectReset(this.#resetByPeer);
  }

  transmit(into: Uint8Array): number {
    this.#handshake.beforeStep();
    try {
      const bytes = this.#native.send(into)?.[0] ?? 0;
      this.#handshake.afterStep(bytes);
      return bytes;
    } catch (thrown) {
      throw toEngineError(thrown, 'other');
    }
  }

  get hasReadable(): boolean {
    return this.#native.isReadable();
  }

  readableStreams(): Iterable<number> {
    return this.#native.readable();
  }

  isReadable(streamId: number): boolean {
    return isStreamId(streamId) && this.#native.streamReadable(streamId);
  }

  read(streamId: number, into: Uint8Array): readonly [bytes: number, fin: boolean] | null {
    checkStreamId(streamId);
    try {
      return this.#native.streamRecv(streamId, into);
    } catch (thrown) {
      const error = toEngineError(thrown, 'stream');
      if (error.failure === 'stream-reset') {
        this.#resetByPeer ??= new Set();
        this.#resetByPeer.add(streamId);
      }
      throw error;
    }
  }

  write(streamId: number, bytes: Uint8Array, fin: boolean): number {
    checkStreamId(streamId);
    try {
      const taken = this.#native.streamSend(streamId, bytes, fin);
      if (taken !== null) {
        this.#streamBytesWritten += taken;
        return taken === 0 && fin && bytes.length === 0 ? 1 : taken;
      }
      // Either nothing fits now, or the stream is gone: only then does this throw.
      this.#native.streamCapacity(streamId);
      return 0;
    } catch (thrown) {
      throw toEngineError(thrown, 'stream');
    }
  }

  capacity(streamId: number): number {
    checkStreamId(streamId);
    try {
      return this.#native.streamCapacity(streamId);
    } catch (thrown) {
      throw toEngineError(thrown, 'stream');
    }
  }

  writableStreams(): Iterable<number> {
    return this.#native.writable();
  }

  stopReading(streamId: number, code: number): void {
    this.#shutdown(streamId, quiche.Shutdown.Read, code);
  }

  resetWriting(streamId: number, code: number): void {
    this.#shutdown(streamId, quiche.Shutdown.Write, code);
  }

  setUrgency(streamId: number, urgency: number): void {
    checkStreamId(streamId);
    const { usual, step } = NATIVE_URGENCY;
    const priority = usual + (wholeNumber(urgency, 0, 7) - USUAL_URGENCY) * step;
    attempt('stream', () => this.#native.streamPriority(streamId, priority, true));
  }

  get peerStreamsLeft(): number {
    return this.#native.peerStreamsLeftBidi();
  }

  get deadlineMs(): number | null {
    const milliseconds = this.#native.timeout();
    return milliseconds === null ? null : Math.min(milliseconds, LONGEST_TIMER_MS);
  }

  onDeadline(): void {
    this.#native.onTimeout();
  }

  ping(): void {
    attempt('other', () => this.#native.sendAckEliciting());
  }

  close(application: boolean, code: number, reason: string): void {
    const buffer = new Uint8Array(MAX_REASON_BYTES);
    // Stops before a character that would not fit whole.
    const { written } = new TextEncoder().encodeInto(reason, buffer);
    const sent = wholeNumber(code, 0, Number.MAX_SAFE_INTEGER);
    attempt('other', () => this.#native.close(application, sent, buffer.subarray(0, written)));
  }

  get established(): boolean {
    return this.#native.isEstablished();
  }

  get draining(): boolean {
    return this.#native.isDraining();
  }

  get closed(): boolean {
    return this.#native.isClosed();
  }

  get timedOut(): boolean {
    return this.#native.isTimedOut();
  }

  get localError(): EngineCloseError | null {
    return closeError(this.#native.localError());
  }

  get peerError(): EngineCloseError | null {
    return closeError(this.#native.peerError());
  }

  peerCertificates(): readonly Uint8Array[] {
    return this.established ? (this.#native.peerCertChain() ?? []) : [];
  }

  get alpn(): string {
    return Buffer.from(this.#native.applicationProto()).toString();
  }

  get serverName(): string | null {
    return this.#native.serverName();
  }

  get resumed(): boolean {
    return this.#native.isResumed();
  }

  get earlyData(): EngineConnection['earlyData'] {
    return this.#handshake.earlyData;
  }

  get session(): Uint8Array | null {
    return this.#native.session();
  }

  get connectionIdLimit(): number {
    this.#learnFromPeer();
    return this.#connectionIdLimit;
  }

  get peerIdleTimeoutMs(): number {
    this.#learnFromPeer();
    return this.#peerIdleTimeoutMs;
  }

  get rttMs(): number {
    return this.#native.pathStats().find((path) => path.active)?.rtt ?? 0;
  }

  get streamBytesWritten(): number {
    return this.#streamBytesWritten;
  }

  /** Reads the peer's transport parameters once, as the engine takes its time to tell them. */
  #learnFromPeer(): void {
    if (this.#connectionIdLimit > 0 || !this.established) return;
    const { peerActiveConnIdLimit, peerMaxIdleTimeout } = this.#native.stats();
    this.#connectionIdLimit = wholeNumber(peerActiveConnIdLimit, LEAST_ID_LIMIT, Number.MAX_SAFE_INTEGER);
    this.#peerIdleTimeoutMs = peerMaxIdleTimeout;
  }

  get connectionIdsWanted(): number {
    const limit = this.connectionIdLimit;
    return limit === 0 ? 0 : Math.max(0, limit - this.#native.activeSourceCids());
  }

  issueConnectionId(connectionId: Uint8Array, resetToken: Uint8Array): void {
    this.#checkOwnConnectionId(connectionId);
    if (this.connectionIdsWanted === 0) throw new EngineError('misuse', 'the peer takes no further connection ID now');
    const token = resetTokenNumber(resetToken);
    attempt('other', () => this.#native.newSourceCid(connectionId, token, false));
  }

  replaceConnectionId(connectionId: Uint8Array, resetToken: Uint8Array): boolean {
    this.#checkOwnConnectionId(connectionId);
    const limit = this.connectionIdLimit;
    if (limit === 0 || this.connectionIdsWanted > 0) {
      throw new EngineError('misuse', 'nothing is replaced while the peer takes more connection IDs');
    }
    // The engine keeps no more than this, and when it refuses has asked for the oldest to be retired all the same.
    if (this.#native.activeSourceCids() >= 2 * limit - 1) return false;
    const token = resetTokenNumber(resetToken);
    attempt('other', () => this.#native.newSourceCid(connectionId, token, true));
    return true;
  }

  /** The engine retires by sequence number and does not tell that of the ID in use, so they are tried upwards. */
  changePeerConnectionId(): boolean {
    const native = this.#native;
    const inUse = native.destinationId();
    for (let number = this.#peerSequenceNumber; this.#fruitlessTries < SEQUENCE_NUMBERS_TRIED; number++) {
      if (native.availableDcids() === 0) return false;
      try {
        native.retireDestinationCid(number);
      } catch {
        this.#fruitlessTries += 1;
        this.#peerSequenceNumber = number + 1;
        continue;
      }
      // A spare one of a lower number has been given up instead.
      if (Buffer.compare(native.destinationId(), inUse) === 0) continue;
      this.#peerSequenceNumber = number + 1;
      return true;
    }
    return false;
  }

  nextRetiredConnectionId(): Uint8Array | null {
    return this.#native.retiredScidNext();
  }

  nextPathEvent(): EnginePathEvent | null {
    const event = this.#native.pathEventNext();
    return event === null ? null : { type: PATH_EVENTS[event.type] ?? 'failed' };
  }

  stats(): EngineStats {
    const { recv, sent, lost, recvBytes } = this.#native.stats();
    return {
      packetsReceived: recv,
      bytesReceived: recvBytes,
      packetsSent: sent,
      packetsLost: lost,
    };
  }

  #checkOwnConnectionId(connectionId: Uint8Array): void {
    if (connectionId.length === this.#connectionIdBytes) return;
    throw new EngineError('misuse', `connection IDs of this connection have ${this.#connectionIdBytes} bytes`);
  }

  #shutdown(streamId: number, direction: number, code: number): void {
    checkStreamId(streamId);
    try {
      this.#native.streamShutdown(streamId, direction, wholeNumber(code, 0, Number.MAX_SAFE_INTEGER));
    } catch (thrown) {
      const error = toEngineError(thrown, 'stream');
      if (error.failure !== 'stream-unknown') throw error;
    }
  }

  #collectReset(streamIds: Set<number>): void {
    let attempts = COLLECTIONS_PER_DATAGRAM;
    for (const streamId of streamIds) {
      if (attempts-- === 0) return;
      streamIds.delete(streamId);
      if (this.#stillKnown(streamId)) streamIds.add(streamId);
    }
    if (streamIds.size === 0) this.#resetByPeer = null;
  }

  /** Reads a reset stream again, which is what makes the engine forget it, provided that our own side is done. */
  #stillKnown(streamId: number): boolean {
    try {
      this.#native.streamRecv(streamId, NO_BYTES);
    } catch {
      // The reset once more; or the stream is gone.
    }
    return this.#native.streamReadable(streamId);
  }
}

const PATH_EVENTS: Readonly<Record<string, EnginePathEvent['type']>> = {
  New: 'new',
  Validated: 'validated',
  FailedValidation: 'failed',
  Closed: 'closed',
  ReusedSourceConnectionId: 'connection-id-reused',
  PeerMigrated: 'peer-migrated',
};

function attempt<T>(activity: EngineActivity, call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw toEngineError(thrown, activity);
  }
}

function ownConfig(config: EngineConfig, role: 'client' | 'server'): QuicheConfig {
  if (config instanceof QuicheConfig && config.role === role) return config;
  throw new EngineError('misuse', `the configuration is not one of this engine for a ${role}`);
}

function isStreamId(streamId: number): boolean {
  return Number.isSafeInteger(streamId) && streamId >= 0;
}

/** The binding would take NaN for stream 0. */
function checkStreamId(streamId: number): void {
  if (!isStreamId(streamId)) throw new EngineError('misuse', `${streamId} is no stream ID`);
}

function checkedConnectionId(id: Uint8Array): Uint8Array {
  if (id.length >= 1 && id.length <= MAX_CONNECTION_ID_BYTES) return id;
  throw new EngineError('misuse', `a connection ID has 1 to ${MAX_CONNECTION_ID_BYTES} bytes`);
}

function resetTokenNumber(token: Uint8Array): bigint {
  if (token.length !== RESET_TOKEN_BYTES) {
    throw new EngineError('misuse', `a stateless reset token has ${RESET_TOKEN_BYTES} bytes`);
  }
  const view = new DataView(token.buffer, token.byteOffset, token.byteLength);
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

function isSamePath(a: EnginePath, b: EnginePath): boolean {
  return (
    a.remote.port === b.remote.port &&
    a.remote.host === b.remote.host &&
    a.local.port === b.local.port &&
    a.local.host === b.local.host
  );
}

function closeError(error: NativeCloseError | null): EngineCloseError | null {
  return error === null ? null : { application: error.isApp, code: error.errorCode, reason: error.reason };
}
