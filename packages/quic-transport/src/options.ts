import { type ConnectionKind, type ListenOptions, type StreamPoolOptions, TransportError } from '@stanzaport/core';
import { ALPN_OF } from '@stanzaport/tls-shared';
import {
  type ConnectionIdGenerator,
  checkConnectionIdGenerator,
  createRandomConnectionIds,
} from './endpoint/connection-id-generator.ts';
import type { PortSharing } from './endpoint/port-sharing.ts';
import { namesWorkers } from './endpoint/worker-connection-ids.ts';
import { isWorkerNumber, MAX_WORKER_NUMBER } from './endpoint/worker-folder.ts';
import { TICKET_KEY_BYTES } from './engine/port.ts';
import type { SessionTicketStore } from './session-tickets.ts';

/** What the QUIC transport can be told. Every field has a default ({@link DEFAULT_QUIC_OPTIONS}). */
export interface QuicOptions {
  /**
   * Longest silence before a connection ends, in milliseconds; the smaller of both peers' values wins, 0 leaves it to
   * the peer (RFC 9000 §10.1).
   */
  readonly idleTimeoutMs: number;
  /**
   * How long the initiating entity lets a connection with streams be silent before it sends a PING, in milliseconds;
   * 0 never (RFC 9000 §10.1.2). Never longer than half the idle timeout.
   */
  readonly keepAliveMs: number;
  /**
   * Whether a connection of the initiating entity migrates by itself (XEP-0467 §2 (8)) when its local address goes, sends
   * fail for want of a network, or several probes in a row are not answered; `on-demand` leaves it to `migrate()`.
   */
  readonly migration: 'automatic' | 'on-demand';
  /** Streams a peer may have open at once on a c2s connection (RFC 9000 §4.6). */
  readonly maxC2sStreams: number;
  /** Streams a peer may have open at once on an s2s connection (RFC 9000 §4.6). */
  readonly maxS2sStreams: number;
  /** s2s: let the receiving entity open streams too. Otherwise only the initiating entity of a connection does. */
  readonly reverseStreams: boolean;
  /**
   * Refuse with `policy-violation` a stream whose `to` is served here but is not in the certificate that was presented on
   * its connection. Whether a certificate is good for a domain is the initiating entity's to judge, and hosting by
   * delegation relies on that; for a deployment without any.
   */
  readonly strictTo: boolean;
  /**
   * s2s: `required` asks servers that connect for their certificate, and refuses in the handshake those that present
   * none; what it proves is judged later, for each stream. `none` never asks. (There is no `requested`: the engine
   * cannot ask without insisting.)
   */
  readonly s2sClientCertificate: 'required' | 'none';
  /** How much a peer may send on one stream ahead of its reader, in bytes (RFC 9000 §4.1). */
  readonly streamWindowBytes: number;
  /**
   * Largest UDP payload sent and received, in bytes, from 1200 (RFC 9000 §14). 1350 passes nearly every path; more is
   * worth it on a network known to carry it.
   */
  readonly maxDatagramBytes: number;
  /** Connections of one listener at once. */
  readonly maxConnections: number;
  /** When a client has to prove its address by Retry (RFC 9000 §8.1.2): `auto` above {@link retryThreshold}. */
  readonly retry: 'auto' | 'always' | 'never';
  /** Unfinished handshakes from which `auto` demands Retry. */
  readonly retryThreshold: number;
  /**
   * 32 secret bytes from which stateless reset tokens and Retry tokens are made (RFC 9000 §10.3.2). The same over
   * restarts and on all instances behind one address. @defaultValue random ones for the life of the transport
   */
  readonly staticKey: Uint8Array | null;
  /**
   * Makes every connection ID listeners give out: in the handshake, in a Retry, and the spare ones. Put the server ID in
   * for a load balancer: {@link QuicLbConnectionIds}, {@link createServerIdConnectionIds}, or one of your own.
   * @defaultValue random ones of 16 bytes
   */
  readonly connectionIds: ConnectionIdGenerator;
  /**
   * This process is one of several that serve the same ports, on all cores of a machine (`docs/many-cores.md`).
   * @defaultValue null, it is the only one
   */
  readonly workers: WorkerOptions | null;
  /**
   * 0-RTT (XEP-0467 §3, RFC 9001 §4.6) on c2s connections, never on s2s ones. The initiating entity, with a ticket of an
   * earlier connection, connects at once, and sends its stream headers with its first packet; the receiving entity takes
   * them and may answer. A third party can repeat such a packet, so nothing else passes before the handshake is complete
   * (see `Connection.handshakeCompleted` and `StanzaStream.early`).
   */
  readonly earlyData: boolean;
  /** Where the initiating entity keeps the tickets by which it resumes (RFC 8446 §2.2); `none` resumes nothing. */
  readonly sessionTickets: SessionTicketStore | 'memory' | 'none';
  /**
   * Secrets that the receiving entity seals its tickets with, 48 random bytes each, up to 16: the first seals, all open. For
   * servers behind one address; replace them regularly with `QuicTransport.replaceTicketKeys`. Whoever has one can read the
   * early data sent under it, and pass for the server with those who resume by it.
   * @defaultValue random ones that rotate, and are lost with the transport
   */
  readonly ticketKeys: readonly Uint8Array[] | null;
  /** Age at which a random ticket key no longer seals, in milliseconds; at twice this age it no longer opens. */
  readonly ticketKeyRotationMs: number;
  /**
   * End the process by SIGKILL when one call into the native engine takes longer than this, in milliseconds; 0 never.
   * Native code that loops cannot be stopped otherwise; handlers of yours may take as long as they like.
   */
  readonly watchdogMs: number;
}

/** Settings of {@link QuicOptions.workers}. */
export interface WorkerOptions {
  /**
   * Of this process alone among those that run now, 0 to 255. The successor of one that has ended takes its number, or
   * any that is free.
   */
  readonly number: number;
  /**
   * The same for all workers, and only for them: a folder that nobody but their user can enter (mode 0700). It is made
   * where there is none. What all need and nobody else may know is in it: {@link QuicOptions.staticKey},
   * {@link QuicOptions.ticketKeys} and {@link QuicOptions.connectionIds} come from there unless they are given.
   */
  readonly folder: string;
  /**
   * How they have one port. @defaultValue `reuse-port` from Node.js 22.12 on, where the system has it; otherwise `cluster`,
   * which needs workers of `node:cluster`
   */
  readonly sharing?: PortSharing;
}

/** The defaults of {@link QuicOptions}. */
export const DEFAULT_QUIC_OPTIONS: QuicOptions = Object.freeze({
  idleTimeoutMs: 180_000,
  keepAliveMs: 30_000,
  migration: 'automatic',
  maxC2sStreams: 16,
  maxS2sStreams: 100,
  reverseStreams: false,
  strictTo: false,
  s2sClientCertificate: 'required',
  streamWindowBytes: 262_144,
  maxDatagramBytes: 1_350,
  maxConnections: 20_000,
  retry: 'auto',
  retryThreshold: 100,
  staticKey: null,
  connectionIds: createRandomConnectionIds(),
  workers: null,
  earlyData: false,
  sessionTickets: 'memory',
  ticketKeys: null,
  ticketKeyRotationMs: 12 * 60 * 60 * 1_000,
  watchdogMs: 2_000,
});

/** Range of each number. */
const RANGES: {
  readonly [K in keyof QuicOptions as QuicOptions[K] extends number ? K : never]: readonly [number, number];
} = {
  idleTimeoutMs: [0, 2 ** 31 - 1],
  keepAliveMs: [0, 2 ** 31 - 1],
  maxC2sStreams: [1, 65_536],
  maxS2sStreams: [1, 65_536],
  streamWindowBytes: [1_024, 2 ** 30],
  maxDatagramBytes: [1_200, 16_383],
  maxConnections: [1, 10_000_000],
  retryThreshold: [0, 10_000_000],
  ticketKeyRotationMs: [1_000, 2 ** 31 - 1],
  watchdogMs: [0, 2 ** 31 - 1],
};

const STATIC_KEY_BYTES = 32;
const MAX_TICKET_KEYS = 16;

/** Options of {@link quicTransportModule}. */
export interface QuicModuleOptions extends Partial<QuicOptions> {
  /** The listeners the hub starts. @defaultValue none: the transport only connects */
  readonly listen?: readonly ListenOptions[];
  /** Of the pool bound as {@link QUIC_STREAM_POOL}. */
  readonly pool?: Pick<StreamPoolOptions, 'idleTimeoutMs' | 'maxConnections'>;
}

/**
 * Completes `given` with the defaults and checks every value.
 * @throws TransportError `XMPP_BAD_OPTION`, naming the option.
 */
export function resolveQuicOptions(given: Partial<QuicOptions> = {}): QuicOptions {
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [name] of named) {
    if (!(name in DEFAULT_QUIC_OPTIONS)) throw badOption(name, 'there is no such option');
  }
  const options: QuicOptions = { ...DEFAULT_QUIC_OPTIONS, ...Object.fromEntries(named) };
  for (const [name, [least, most]] of Object.entries(RANGES) as [keyof typeof RANGES, readonly [number, number]][]) {
    const value = options[name];
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw badOption(name, `${value} is not a whole number from ${least} to ${most}`);
    }
  }
  if (!['auto', 'always', 'never'].includes(options.retry)) {
    throw badOption('retry', `'${options.retry}' is none of auto, always, never`);
  }
  if (!['automatic', 'on-demand'].includes(options.migration)) {
    throw badOption('migration', `'${options.migration}' is none of automatic, on-demand`);
  }
  if (!['required', 'none'].includes(options.s2sClientCertificate)) {
    throw badOption('s2sClientCertificate', `'${options.s2sClientCertificate}' is none of required, none`);
  }
  if (options.staticKey !== null && options.staticKey.length !== STATIC_KEY_BYTES) {
    throw badOption('staticKey', `has ${options.staticKey.length} bytes instead of ${STATIC_KEY_BYTES}`);
  }
  checkConnectionIdGenerator(options.connectionIds);
  if (typeof options.earlyData !== 'boolean') throw badOption('earlyData', `'${options.earlyData}' is no boolean`);
  const { sessionTickets } = options;
  if (typeof sessionTickets === 'string' && !['memory', 'none'].includes(sessionTickets)) {
    throw badOption('sessionTickets', `'${sessionTickets}' is none of memory, none, or a store`);
  }
  if (options.ticketKeys !== null) checkTicketKeys(options.ticketKeys);
  if (options.workers !== null) checkWorkers(options.workers, options.connectionIds);
  return Object.freeze(options);
}

/** @throws TransportError `XMPP_BAD_OPTION`. */
export function checkTicketKeys(keys: readonly Uint8Array[]): void {
  if (keys.length < 1 || keys.length > MAX_TICKET_KEYS) {
    throw badOption('ticketKeys', `${keys.length} keys instead of 1 to ${MAX_TICKET_KEYS}`);
  }
  const wrong = keys.find((key) => key.length !== TICKET_KEY_BYTES);
  if (wrong !== undefined)
    throw badOption('ticketKeys', `one has ${wrong.length} bytes instead of ${TICKET_KEY_BYTES}`);
}

function checkWorkers({ number, folder, sharing }: WorkerOptions, connectionIds: ConnectionIdGenerator): void {
  if (!isWorkerNumber(number)) {
    throw badOption('workers', `number ${number} is not a whole number from 0 to ${MAX_WORKER_NUMBER}`);
  }
  if (typeof folder !== 'string' || folder === '') throw badOption('workers', 'there is no folder');
  if (sharing !== undefined && !['reuse-port', 'cluster'].includes(sharing)) {
    throw badOption('workers', `sharing '${sharing}' is none of reuse-port, cluster`);
  }
  if (connectionIds !== DEFAULT_QUIC_OPTIONS.connectionIds && !namesWorkers(connectionIds)) {
    throw badOption('connectionIds', 'names no workers: it has no workerOf()');
  }
}

/** @throws TransportError `XMPP_BAD_OPTION` for what is no kind of connection. */
export function checkKind(kind: ConnectionKind, call: 'listen' | 'connect'): void {
  if (kind in ALPN_OF) return;
  throw new TransportError('XMPP_BAD_OPTION', `${call}: '${kind}' is no kind of connection, which is c2s or s2s`);
}

function badOption(name: string, why: string): TransportError {
  return new TransportError('XMPP_BAD_OPTION', `quic.${name}: ${why}`);
}
