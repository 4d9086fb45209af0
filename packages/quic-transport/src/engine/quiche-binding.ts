import native from '@matrixai/quic/native/quiche.js';

/*
 * The part of the native binding this engine uses, as it behaves rather than as its own declarations say: `null`
 * stands for quiche's `Done`, every other failure is a plain `Error` whose message is the Rust name of the error.
 */

export interface NativeAddress {
  readonly host: string;
  readonly port: number;
}

export interface NativeReceiveInfo {
  readonly from: NativeAddress;
  readonly to: NativeAddress;
}

export interface NativeConfig {
  verifyPeer(verify: boolean): void;
  grease(grease: boolean): void;
  setApplicationProtos(protocols: string[]): void;
  setMaxIdleTimeout(milliseconds: number): void;
  setMaxRecvUdpPayloadSize(bytes: number): void;
  setMaxSendUdpPayloadSize(bytes: number): void;
  setInitialMaxData(bytes: number): void;
  setInitialMaxStreamDataBidiLocal(bytes: number): void;
  setInitialMaxStreamDataBidiRemote(bytes: number): void;
  setInitialMaxStreamDataUni(bytes: number): void;
  setInitialMaxStreamsBidi(streams: number): void;
  setInitialMaxStreamsUni(streams: number): void;
  setMaxConnectionWindow(bytes: number): void;
  setMaxStreamWindow(bytes: number): void;
  setActiveConnectionIdLimit(limit: number): void;
  setCcAlgorithm(algorithm: number): void;
  setStatelessResetToken(token: bigint | null): void;
  setTicketKey(key: Uint8Array): void;
  enableEarlyData(): void;
}

export interface NativeCloseError {
  readonly isApp: boolean;
  readonly errorCode: number;
  readonly reason: Uint8Array;
}

export interface NativePathStats {
  readonly active: boolean;
  readonly rtt: number;
}

export interface NativeConnection {
  /** Only before the first `send`: later it ends the process. */
  setSession(session: Uint8Array): void;
  session(): Uint8Array | null;
  isInEarlyData(): boolean;
  recv(datagram: Uint8Array, info: NativeReceiveInfo): number;
  send(into: Uint8Array): readonly [bytes: number, info: unknown] | null;
  isReadable(): boolean;
  readable(): Iterable<number>;
  streamReadable(streamId: number): boolean;
  streamRecv(streamId: number, into: Uint8Array): readonly [bytes: number, fin: boolean] | null;
  streamSend(streamId: number, bytes: Uint8Array, fin: boolean): number | null;
  streamCapacity(streamId: number): number;
  streamShutdown(streamId: number, direction: number, code: number): unknown;
  streamPriority(streamId: number, urgency: number, incremental: boolean): unknown;
  writable(): Iterable<number>;
  peerStreamsLeftBidi(): number;
  timeout(): number | null;
  onTimeout(): void;
  sendAckEliciting(): void;
  close(application: boolean, code: number, reason: Uint8Array): unknown;
  isEstablished(): boolean;
  isDraining(): boolean;
  isClosed(): boolean;
  isTimedOut(): boolean;
  isResumed(): boolean;
  localError(): NativeCloseError | null;
  peerError(): NativeCloseError | null;
  peerCertChain(): Uint8Array[] | null;
  applicationProto(): Uint8Array;
  serverName(): string | null;
  activeSourceCids(): number;
  newSourceCid(connectionId: Uint8Array, resetToken: bigint, retireIfNeeded: boolean): number;
  retiredScidNext(): Uint8Array | null;
  availableDcids(): number;
  destinationId(): Uint8Array;
  retireDestinationCid(sequenceNumber: number): void;
  pathEventNext(): { readonly type: string } | null;
  stats(): {
    readonly recv: number;
    readonly recvBytes: number;
    readonly sent: number;
    readonly lost: number;
    readonly peerMaxIdleTimeout: number;
    readonly peerActiveConnIdLimit: number;
  };
  pathStats(): readonly NativePathStats[];
}

interface QuicheBinding {
  readonly Config: {
    withBoringSslCtx(
      verifyPeer: boolean,
      verifyAllowFail: boolean,
      trustAnchors: Uint8Array | null,
      keys: Uint8Array[] | null,
      chains: Uint8Array[] | null,
      signatureAlgorithms: string | null,
    ): NativeConfig;
  };
  readonly Connection: {
    accept(
      sourceConnectionId: Uint8Array,
      originalDestinationConnectionId: Uint8Array | null,
      local: NativeAddress,
      remote: NativeAddress,
      config: NativeConfig,
    ): NativeConnection;
    connect(
      serverName: string | null,
      sourceConnectionId: Uint8Array,
      local: NativeAddress,
      remote: NativeAddress,
      config: NativeConfig,
    ): NativeConnection;
  };
  readonly CongestionControlAlgorithm: { readonly CUBIC: number };
  readonly Shutdown: { readonly Read: number; readonly Write: number };
}

/** The native binding. Loading it in three threads of one process crashes that process: one thread, more processes. */
export const quiche: QuicheBinding = native as unknown as QuicheBinding;
