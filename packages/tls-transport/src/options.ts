import { type ConnectionKind, type ListenOptions, normalizeDomain, TransportError } from '@stanzaport/core';
import { ALPN_OF } from '@stanzaport/tls-shared';

/** What the transports over TLS can be told. Every field has a default ({@link DEFAULT_TLS_TRANSPORT_OPTIONS}). */
export interface TlsTransportOptions {
  /** Connections of one listener at once, unfinished handshakes included. */
  readonly maxConnections: number;
  /** Connections of one listener at once from one IP address, unfinished handshakes included. */
  readonly maxConnectionsPerAddress: number;
  /**
   * s2s: `required` asks servers that connect for their certificate, and refuses in the handshake those that present
   * none; `requested` asks, and takes them all; `none` never asks. What a certificate proves is judged later, by the
   * `from` of the stream header (RFC 6120 §13.7.2.1).
   */
  readonly s2sClientCertificate: 'required' | 'requested' | 'none';
  /**
   * c2s: `requested` asks clients for their certificate, and takes them all; `none` never asks. What one proves is judged
   * when the client wants to log in by it (SASL EXTERNAL, XEP-0178 §2). Where clients and servers share a listener of
   * Direct TLS, whoever connects is asked if either option says so.
   */
  readonly c2sClientCertificate: 'requested' | 'none';
  /**
   * Direct TLS: the domain whose credential a client gets that sends no server name; null refuses it. STARTTLS takes the
   * `to` of the stream header instead (RFC 7590 §3.5).
   */
  readonly defaultDomain: string | null;
  /** Silence after which TCP asks whether the peer is still there, in milliseconds; 0 never asks. */
  readonly keepAliveMs: number;
}

/** The defaults of {@link TlsTransportOptions}. */
export const DEFAULT_TLS_TRANSPORT_OPTIONS: TlsTransportOptions = Object.freeze({
  maxConnections: 20_000,
  maxConnectionsPerAddress: 1_000,
  s2sClientCertificate: 'required',
  c2sClientCertificate: 'none',
  defaultDomain: null,
  keepAliveMs: 60_000,
});

/** Options of `directTlsModule` and `startTlsModule`. */
export interface TlsTransportModuleOptions extends Partial<TlsTransportOptions> {
  /** The listeners the hub starts. @defaultValue none: the transport only connects */
  readonly listen?: readonly ListenOptions[];
}

/** Range of each number. */
const RANGES: {
  readonly [K in keyof TlsTransportOptions as TlsTransportOptions[K] extends number ? K : never]: readonly [
    number,
    number,
  ];
} = {
  maxConnections: [1, 10_000_000],
  maxConnectionsPerAddress: [1, 10_000_000],
  keepAliveMs: [0, 2 ** 31 - 1],
};

/** What may be said about certificates of who connects. */
const RULES: { readonly [K in 's2sClientCertificate' | 'c2sClientCertificate']: readonly TlsTransportOptions[K][] } = {
  s2sClientCertificate: ['required', 'requested', 'none'],
  c2sClientCertificate: ['requested', 'none'],
};

/**
 * Completes `given` with the defaults and checks every value.
 * @param transport for the message.
 * @throws TransportError `XMPP_BAD_OPTION`, naming the option.
 */
export function resolveTlsTransportOptions(
  transport: string,
  given: Partial<TlsTransportOptions> = {},
): TlsTransportOptions {
  const badOption = (name: string, why: string): TransportError =>
    new TransportError('XMPP_BAD_OPTION', `${transport}.${name}: ${why}`);
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [name] of named) {
    if (!(name in DEFAULT_TLS_TRANSPORT_OPTIONS)) throw badOption(name, 'there is no such option');
  }
  const options: TlsTransportOptions = { ...DEFAULT_TLS_TRANSPORT_OPTIONS, ...Object.fromEntries(named) };
  for (const [name, [least, most]] of Object.entries(RANGES) as [keyof typeof RANGES, readonly [number, number]][]) {
    const value = options[name];
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw badOption(name, `${value} is not a whole number from ${least} to ${most}`);
    }
  }
  for (const [name, rules] of Object.entries(RULES) as [keyof typeof RULES, readonly string[]][]) {
    if (!rules.includes(options[name])) throw badOption(name, `'${options[name]}' is none of ${rules.join(', ')}`);
  }
  if (options.defaultDomain !== null && normalizeDomain(options.defaultDomain) === null) {
    throw badOption('defaultDomain', `'${options.defaultDomain}' is no domain`);
  }
  return Object.freeze(options);
}

/** @throws TransportError `XMPP_BAD_OPTION` for what is no kind of connection. */
export function checkKind(kind: ConnectionKind, call: 'listen' | 'connect'): void {
  if (kind in ALPN_OF) return;
  throw new TransportError('XMPP_BAD_OPTION', `${call}: '${kind}' is no kind of connection, which is c2s or s2s`);
}
