import { randomBytes } from 'node:crypto';
import { TransportError } from '@stanzaport/core';
import type { ConnectionIdGenerator } from './connection-id-generator.ts';
import { NonceSequence } from './nonce-sequence.ts';
import { QuicLbCipher } from './quic-lb-cipher.ts';
import {
  checkQuicLbConfig,
  checkQuicLbServerConfig,
  type QuicLbConfig,
  type QuicLbServerConfig,
} from './quic-lb-config.ts';

/** The codepoint of IDs that no balancer can route (§3.2). */
const UNROUTABLE = 7;

/** Bits of the first octet that the codepoint leaves free (§3.3). */
const LOW_BITS = 0x1f;

/** Puts the server ID of one configuration and a nonce into a connection ID. @internal */
export class QuicLbEncoder {
  /** Length of an ID, in bytes. */
  readonly bytes: number;
  readonly #config: QuicLbServerConfig;
  readonly #cipher: QuicLbCipher | null;

  /** @throws TransportError `XMPP_BAD_OPTION`. */
  constructor(config: QuicLbServerConfig) {
    checkQuicLbServerConfig(config);
    this.#config = { ...config, serverId: Uint8Array.from(config.serverId) };
    const { serverId, nonceBytes, key } = this.#config;
    this.bytes = 1 + serverId.length + nonceBytes;
    this.#cipher = key === null ? null : new QuicLbCipher(key, this.bytes - 1);
  }

  encode(nonce: Uint8Array): Uint8Array {
    const { configId, serverId, encodesLength = false } = this.#config;
    const plaintext = Buffer.concat([serverId, nonce]);
    const lowBits = encodesLength ? this.bytes - 1 : (randomBytes(1)[0] as number) & LOW_BITS;
    return Buffer.concat([firstOctet(configId, lowBits), this.#cipher?.encrypt(plaintext) ?? plaintext]);
  }
}

/**
 * Connection IDs that a QUIC-LB load balancer can route to this server: draft-ietf-quic-load-balancers-21, its plaintext
 * algorithm (no key), single-pass and four-pass encryption.
 *
 * No nonce is used twice with one key. When all have been, the IDs have the codepoint of unroutable ones, as §9.6
 * demands: their connections live as long as the balancer finds them by address. Watch {@link noncesLeft} and
 * {@link rotate} in time.
 */
export class QuicLbConnectionIds implements ConnectionIdGenerator {
  readonly bytes: number;
  readonly #createNonces: typeof createNonces;
  /** Of every configuration there was: one that comes back counts on. */
  readonly #sequences = new Map<string, NonceSequence>();
  readonly #decoders = new Map<string, { readonly decoder: QuicLbDecoder; readonly serverId: Uint8Array }>();
  #encoder: QuicLbEncoder;
  #nonces: NonceSequence;

  /** @param nonces for a test. @throws TransportError `XMPP_BAD_OPTION`. */
  constructor(config: QuicLbServerConfig, nonces: typeof createNonces = createNonces) {
    this.#createNonces = nonces;
    this.#encoder = new QuicLbEncoder(config);
    this.#nonces = this.#remember(config);
    this.bytes = this.#encoder.bytes;
  }

  /** How many IDs can still be made with the configuration now in use. */
  get noncesLeft(): bigint {
    return this.#nonces.left;
  }

  create(): Uint8Array {
    const nonce = this.#nonces.next();
    if (nonce !== null) return this.#encoder.encode(nonce);
    return Buffer.concat([firstOctet(UNROUTABLE, this.bytes - 1), randomBytes(this.bytes - 1)]);
  }

  /**
   * Makes all further IDs with another configuration (§3.1); its IDs have the same length. Those given out before stay
   * valid to the end of their connections: the balancer has to know both configurations until then.
   * @throws TransportError `XMPP_BAD_OPTION`.
   */
  rotate(config: QuicLbServerConfig): void {
    const encoder = new QuicLbEncoder(config);
    if (encoder.bytes !== this.bytes) {
      const message = `QUIC-LB: the new configuration makes IDs of ${encoder.bytes} bytes instead of ${this.bytes}`;
      throw new TransportError('XMPP_BAD_OPTION', message);
    }
    this.#encoder = encoder;
    this.#nonces = this.#remember(config);
  }

  /** Whether it is routed here, by one of the configurations there were. */
  recognizes(connectionId: Uint8Array): boolean {
    for (const { decoder, serverId } of this.#decoders.values()) {
      const named = decoder.serverIdOf(connectionId);
      if (named !== null && Buffer.compare(named, serverId) === 0) return true;
    }
    return false;
  }

  #remember(config: QuicLbServerConfig): NonceSequence {
    const { configId, key, nonceBytes } = config;
    const serverId = Uint8Array.from(config.serverId);
    const name = [key ?? [], serverId].map((bytes) => Buffer.from(bytes).toString('hex')).join(' ');
    const decoder = new QuicLbDecoder([{ ...config, serverIdBytes: serverId.length }]);
    this.#decoders.set(`${configId} ${name}`, { decoder, serverId });
    const nonces = this.#sequences.get(`${name} ${nonceBytes}`) ?? this.#createNonces(config);
    this.#sequences.set(`${name} ${nonceBytes}`, nonces);
    return nonces;
  }
}

/**
 * The balancer's side of {@link QuicLbConnectionIds}: tells from a Destination Connection ID which server it belongs to.
 * Needs no state and no keys of connections.
 */
export class QuicLbDecoder {
  readonly #configs: ReadonlyMap<number, { readonly config: QuicLbConfig; readonly cipher: QuicLbCipher | null }>;

  /** @param configs each with a `configId` of its own. @throws TransportError `XMPP_BAD_OPTION`. */
  constructor(configs: readonly QuicLbConfig[]) {
    for (const config of configs) checkQuicLbConfig(config);
    this.#configs = new Map(
      configs.map((config) => {
        const { configId, serverIdBytes, nonceBytes, key } = config;
        return [configId, { config, cipher: key === null ? null : new QuicLbCipher(key, serverIdBytes + nonceBytes) }];
      }),
    );
    if (this.#configs.size < configs.length) {
      throw new TransportError('XMPP_BAD_OPTION', 'QUIC-LB: two configurations have the same configId');
    }
  }

  /**
   * The server ID inside.
   * @param connectionId may go on after its end: of a short header, give all that follows the first byte (RFC 8999 §5.2).
   * @returns null for one that cannot be routed (§4.1): of no known configuration, or too short, as many of those that
   *   clients choose for their first packets are. Others of these lead to a server ID that nobody has.
   */
  serverIdOf(connectionId: Uint8Array): Uint8Array | null {
    const first = connectionId[0];
    const known = first === undefined ? undefined : this.#configs.get(first >> 5);
    if (known === undefined) return null;
    const { serverIdBytes, nonceBytes } = known.config;
    const end = 1 + serverIdBytes + nonceBytes;
    if (connectionId.length < end) return null;
    const text = connectionId.subarray(1, end);
    return Uint8Array.from((known.cipher?.decrypt(text) ?? text).subarray(0, serverIdBytes));
  }
}

function createNonces({ nonceBytes, key }: QuicLbServerConfig): NonceSequence {
  return new NonceSequence(nonceBytes, key === null);
}

function firstOctet(configId: number, lowBits: number): Uint8Array {
  return Uint8Array.of((configId << 5) | lowBits);
}
