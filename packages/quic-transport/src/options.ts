import { type ConnectionKind, type ListenOptions, TransportError } from '@stanzaport/core';
import { ALPN_OF } from '@stanzaport/tls-shared';

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
  /** Streams a peer may have open at once on a c2s connection (RFC 9000 §4.6). */
  readonly maxC2sStreams: number;
  /** Streams a peer may have open at once on an s2s connection (RFC 9000 §4.6). */
  readonly maxS2sStreams: number;
  /** s2s: let the receiving entity open streams too. Otherwise only the initiating entity of a connection does. */
  readonly reverseStreams: boolean;
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
   * End the process by SIGKILL when one call into the native engine takes longer than this, in milliseconds; 0 never.
   * Native code that loops cannot be stopped otherwise; handlers of yours may take as long as they like.
   */
  readonly watchdogMs: number;
}

/** The defaults of {@link QuicOptions}. */
export const DEFAULT_QUIC_OPTIONS: QuicOptions = Object.freeze({
  idleTimeoutMs: 180_000,
  keepAliveMs: 30_000,
  maxC2sStreams: 16,
  maxS2sStreams: 100,
  reverseStreams: false,
  s2sClientCertificate: 'required',
  streamWindowBytes: 262_144,
  maxDatagramBytes: 1_350,
  maxConnections: 20_000,
  retry: 'auto',
  retryThreshold: 100,
  staticKey: null,
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
  watchdogMs: [0, 2 ** 31 - 1],
};

const STATIC_KEY_BYTES = 32;

/** Options of {@link quicTransportModule}. */
export interface QuicModuleOptions extends Partial<QuicOptions> {
  /** The listeners the hub starts. @defaultValue none: the transport only connects */
  readonly listen?: readonly ListenOptions[];
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
  if (!['required', 'none'].includes(options.s2sClientCertificate)) {
    throw badOption('s2sClientCertificate', `'${options.s2sClientCertificate}' is none of required, none`);
  }
  if (options.staticKey !== null && options.staticKey.length !== STATIC_KEY_BYTES) {
    throw badOption('staticKey', `has ${options.staticKey.length} bytes instead of ${STATIC_KEY_BYTES}`);
  }
  return Object.freeze(options);
}

/** @throws TransportError `XMPP_BAD_OPTION` for what is no kind of connection. */
export function checkKind(kind: ConnectionKind, call: 'listen' | 'connect'): void {
  if (kind in ALPN_OF) return;
  throw new TransportError('XMPP_BAD_OPTION', `${call}: '${kind}' is no kind of connection, which is c2s or s2s`);
}

function badOption(name: string, why: string): TransportError {
  return new TransportError('XMPP_BAD_OPTION', `quic.${name}: ${why}`);
}
