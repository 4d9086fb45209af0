import type { Duplex } from 'node:stream';
import type {
  ConnectionKind,
  ConnectTarget,
  Limits,
  ListenOptions,
  Logger,
  SocketAddress,
  Transport,
} from '@stanzaport/core';

/** What a case asks of the transports it is given. */
export interface PairOptions {
  /** To be given to both transports; what is left out keeps its default. */
  readonly limits: Partial<Limits>;
  readonly logger: Logger;
}

/** Bytes on one secured stream of a listener, from a peer that is no stanza stream and may send what it likes. */
export interface RawPeer {
  /** Writing sends, `end()` ends the bytes in order, `destroy()` resets. */
  readonly bytes: Duplex;
  /** Gives up the connection under it. */
  close(): Promise<void> | void;
}

/** A receiving and an initiating transport that can reach each other, made anew for each case. */
export interface TransportPair {
  readonly server: Transport;
  readonly client: Transport;
  /** How the server listens. The kit adds the port, 0 mostly, and the kinds. */
  readonly listenOptions: Omit<ListenOptions, 'port' | 'kinds'>;
  /** The domain the server proves. */
  readonly domain: string;
  /** Where to connect to reach a listener of `server`; `domain` may be one that it does not prove. */
  target(address: SocketAddress, domain: string, kind: ConnectionKind): ConnectTarget;
  /** Connects by other means than the client transport; needed where {@link TransportCapabilities.rawPeer} is set. */
  openRaw?(address: SocketAddress, kind: ConnectionKind): Promise<RawPeer>;
  /** Frees what `create` has made. The kit has closed the listeners and connections before. */
  dispose(): Promise<void> | void;
}

/** What a transport can do; what it cannot is reported as skipped, with the reason. */
export interface TransportCapabilities {
  /** Stanza streams of one connection that the initiating side may have open at once; 1 for a TLS connection. */
  readonly streamsPerConnection: number;
  /** Kinds of connection that can be listened for and connected. */
  readonly kinds: readonly ConnectionKind[];
  /** A stream's abrupt end is told from an orderly one. */
  readonly reset: boolean;
  /** The peer has to prove the domain connected to. */
  readonly provesDomain: boolean;
  /** `listen` binds addresses of this host, so that those of other hosts fail. */
  readonly bindsLocalAddresses: boolean;
  /** {@link TransportPair.openRaw} is there. */
  readonly rawPeer: boolean;
  /**
   * Bytes that one stream may hold between a sender and a consumer that takes nothing: windows, socket buffers and
   * what the transport itself keeps, without the send queue of the limits.
   */
  readonly heldBytes: number;
}

/** What the author of a transport gives to the kit. */
export interface ConformanceSetup {
  readonly capabilities: TransportCapabilities;
  create(options: PairOptions): Promise<TransportPair> | TransportPair;
  /** Longest time one case may take, in milliseconds. @defaultValue 25,000 */
  readonly caseTimeoutMs?: number;
}
