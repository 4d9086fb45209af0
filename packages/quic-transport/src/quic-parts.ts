import { createHmac, randomBytes } from 'node:crypto';
import { type ConnectionKind, type Limits, type Logger, TransportError, toTransportError } from '@stanzaport/core';
import { ALPN_OF, type CertificatePolicy, type Credential, type CredentialStore } from '@stanzaport/tls-shared';
import { ClientSessions } from './client-sessions.ts';
import type { ConnectionIdGenerator } from './endpoint/connection-id-generator.ts';
import type { ConnectionIds } from './endpoint/connection-ids.ts';
import type { DriverShared } from './endpoint/driver-owner.ts';
import { EngineGarbage } from './endpoint/engine-garbage.ts';
import type { Worker } from './endpoint/hand-over.ts';
import { NetworkWatch } from './endpoint/network-watch.ts';
import type { PathCounters } from './endpoint/peer-path.ts';
import { choosePortSharing } from './endpoint/port-sharing.ts';
import { SendBuffer } from './endpoint/send-buffer.ts';
import { TimerQueue } from './endpoint/timer-queue.ts';
import { AddressTokens, ResetTokens } from './endpoint/tokens.ts';
import { Turns } from './endpoint/turns.ts';
import type { UdpSocket } from './endpoint/udp-socket.ts';
import { createWorkerConnectionIds, namesWorkers } from './endpoint/worker-connection-ids.ts';
import { WorkerFolder } from './endpoint/worker-folder.ts';
import type { Engine, EngineConfig, EngineConfigOptions } from './engine/port.ts';
import type { QuicOptions, WorkerOptions } from './options.ts';
import { ReadSlab } from './read-slab.ts';
import { MemorySessionTicketStore, type SessionTicketStore } from './session-tickets.ts';
import { TicketKeys } from './ticket-keys.ts';
import { Watchdog } from './watchdog.ts';

/** What a QUIC transport is given. */
export interface QuicDependencies {
  readonly engine: Engine;
  readonly credentials: CredentialStore;
  readonly policy: CertificatePolicy;
  readonly limits: Limits;
  readonly logger: Logger;
  /** What tells of addresses that come and go. @defaultValue one that asks the system */
  readonly networkWatch?: NetworkWatch;
}

/** Our own advertised `active_connection_id_limit` (RFC 9000 §18.2): IDs of the peer that we keep in stock. */
const ACTIVE_CONNECTION_ID_LIMIT = 4;

const CONNECTION_ID_KEY_BYTES = 16;

let connections = 0;

/** Everything the listeners and connections of one QUIC transport share. */
export class QuicParts implements QuicDependencies {
  readonly engine: Engine;
  readonly credentials: CredentialStore;
  readonly policy: CertificatePolicy;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly options: QuicOptions;
  readonly turns: Turns;
  readonly timers: TimerQueue;
  readonly networkWatch: NetworkWatch;
  readonly slab: ReadSlab = new ReadSlab();
  readonly #resetKey: Uint8Array;
  /** Of connections in the initiating role. */
  readonly clientResetTokens: ResetTokens;
  readonly addressTokens: AddressTokens;
  readonly ticketKeys: TicketKeys;
  /** Makes the connection IDs of listeners. */
  readonly connectionIds: ConnectionIdGenerator;
  /** This process among several that serve the same ports; null for the only one. */
  readonly worker: Worker | null;
  readonly sessions: ClientSessions;
  readonly #sendBuffer: SendBuffer;
  readonly #garbage = new EngineGarbage();
  #watchdog: Watchdog | null = null;
  #users = 0;

  constructor(dependencies: QuicDependencies, options: QuicOptions) {
    this.engine = dependencies.engine;
    this.credentials = dependencies.credentials;
    this.policy = dependencies.policy;
    this.limits = dependencies.limits;
    this.logger = dependencies.logger;
    this.options = options;
    this.networkWatch = dependencies.networkWatch ?? new NetworkWatch();
    const onFault = (thrown: unknown): void =>
      dependencies.logger.error({ err: toTransportError(thrown, 'endpoint') }, 'a fault in the QUIC endpoint');
    this.turns = new Turns(onFault);
    this.timers = new TimerQueue(onFault);
    this.#sendBuffer = new SendBuffer(options.maxDatagramBytes);
    this.worker = options.workers === null ? null : createWorker(options.workers, options.connectionIds);
    this.connectionIds = this.worker?.ids ?? options.connectionIds;
    const shared = this.worker?.folder ?? null;
    const staticKey = options.staticKey ?? shared?.deriveKey('static key') ?? randomBytes(32);
    this.#resetKey = deriveKey(staticKey, 'stateless reset');
    this.clientResetTokens = this.resetTokensOf('clients');
    this.addressTokens = new AddressTokens(deriveKey(staticKey, 'address token'));
    this.ticketKeys = new TicketKeys(
      options.ticketKeys,
      options.ticketKeyRotationMs,
      shared?.deriveKey('ticket keys') ?? null,
    );
    this.sessions = new ClientSessions(storeOf(options), this.policy, this.logger);
  }

  /** An id for logs, unique in this process. */
  readonly nextConnectionId = (): string => {
    connections += 1;
    return `quic-${connections}`;
  };

  /**
   * Those of one place, the same in all processes that listen there, and after a restart. They are nobody else's: whoever
   * saw a connection ID at one port could draw its reset at another, and end the connection (RFC 9000 §21.11).
   */
  resetTokensOf(place: string): ResetTokens {
    return new ResetTokens(deriveKey(this.#resetKey, place));
  }

  sharedWith(ids: ConnectionIds<UdpSocket>, pathCounters: PathCounters): DriverShared {
    return {
      turns: this.turns,
      timers: this.timers,
      ids,
      sendBuffer: this.#sendBuffer,
      watchdog: this.#watchdog ?? Watchdog.acquire(0),
      pathCounters,
      garbage: this.#garbage,
    };
  }

  /** @throws TransportError `XMPP_BAD_CREDENTIAL` when the engine does not take the credential. */
  createConfig({
    role,
    kind,
    credential,
  }: {
    readonly role: 'client' | 'server';
    readonly kind: ConnectionKind;
    readonly credential: Credential | null;
  }): EngineConfig {
    const { options } = this;
    const peerStreams = kind === 'c2s' ? options.maxC2sStreams : options.maxS2sStreams;
    const peerMayOpenStreams = role === 'server' || (kind === 's2s' && options.reverseStreams);
    const settings: EngineConfigOptions = {
      role,
      alpn: [ALPN_OF[kind]],
      credential,
      requestPeerCertificate: role === 'client' || (kind === 's2s' && options.s2sClientCertificate === 'required'),
      idleTimeoutMs: options.idleTimeoutMs,
      maxDatagramBytes: options.maxDatagramBytes,
      streamWindowBytes: options.streamWindowBytes,
      maxStreamWindowBytes: options.streamWindowBytes,
      // XEP-0467 §2 (9): streams are opened by the initiating entity of the connection, unless both agreed otherwise.
      maxPeerStreams: peerMayOpenStreams ? peerStreams : 0,
      activeConnectionIdLimit: ACTIVE_CONNECTION_ID_LIMIT,
      // Streams between servers carry what was authenticated by their handshake: a replay would do harm.
      earlyData: options.earlyData && kind === 'c2s',
    };
    try {
      return this.engine.createConfig(settings);
    } catch (cause) {
      const domains = credential?.domains.join(', ') ?? 'no domain';
      const message = `the credential for ${domains} cannot be used for QUIC: ${toTransportError(cause, 'engine').message}`;
      throw new TransportError('XMPP_BAD_CREDENTIAL', message, { cause });
    }
  }

  /** Somebody begins to use the engine; the watchdog runs while there is anybody. */
  acquire(): void {
    this.#users += 1;
    this.#watchdog ??= Watchdog.acquire(this.options.watchdogMs);
  }

  /** The counterpart of {@link acquire}. */
  async release(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0) return;
    const watchdog = this.#watchdog;
    this.#watchdog = null;
    await watchdog?.release();
  }
}

function createWorker({ number, folder: path, sharing }: WorkerOptions, given: ConnectionIdGenerator): Worker {
  const folder = new WorkerFolder(path);
  const key = folder.deriveKey('connection IDs').subarray(0, CONNECTION_ID_KEY_BYTES);
  const ids = namesWorkers(given) ? given : createWorkerConnectionIds(number, key);
  return { number, folder, sharing: choosePortSharing(sharing), ids };
}

function storeOf({ sessionTickets }: QuicOptions): SessionTicketStore | null {
  if (sessionTickets === 'memory') return new MemorySessionTicketStore();
  return sessionTickets === 'none' ? null : sessionTickets;
}

function deriveKey(key: Uint8Array, purpose: string): Uint8Array {
  return createHmac('sha256', key).update(`stanzaport ${purpose}`).digest();
}
