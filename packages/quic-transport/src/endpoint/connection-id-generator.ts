import { randomBytes } from 'node:crypto';
import { TransportError } from '@stanzaport/core';
import { connectionIdKey, MAX_CONNECTION_ID_BYTES, MIN_INITIAL_DCID_BYTES } from './packet-header.ts';

/**
 * Makes the connection IDs a listener gives to its clients (RFC 9000 §5.1): in the handshake, in a Retry, and as spare
 * ones. A fleet behind a load balancer puts into each where it has to be routed to.
 *
 * An observer must not be able to link two IDs of one connection (RFC 9000 §5.1): nothing in them may tell more than
 * the instance, and that only where it has to.
 */
export interface ConnectionIdGenerator {
  /** Length of every ID it makes, in bytes, 8 to 20; short headers do not tell it (RFC 9000 §17.2, §17.3.1). */
  readonly bytes: number;
  /** A fresh ID that it has not made before. It may be asked again at once when that ID is in use. */
  create(): Uint8Array;
  /**
   * Whether it may have made this ID, also before a restart. Packets to unknown connections get a stateless reset only
   * when it may: where a fleet shares one `staticKey`, a server would otherwise betray the reset tokens of another one's
   * connections (RFC 9000 §21.11). @defaultValue always true
   */
  recognizes?(connectionId: Uint8Array): boolean;
}

const DEFAULT_CONNECTION_ID_BYTES = 16;
/** Fewer random bytes collide among the connections of one server too soon. */
const LEAST_RANDOM_BYTES = 7;

/** Random bytes drawn at once: a call for a few of them costs as much as one for many. */
const POOL_BYTES = 4_096;

/** Hands out random bytes, each once. */
class RandomPool {
  #pool: Buffer = Buffer.alloc(0);
  #used = 0;

  take(bytes: number): Buffer {
    if (this.#used + bytes > this.#pool.length) {
      this.#pool = randomBytes(POOL_BYTES);
      this.#used = 0;
    }
    this.#used += bytes;
    return this.#pool.subarray(this.#used - bytes, this.#used);
  }
}

/** Settings of {@link createServerIdConnectionIds}. */
export interface ServerIdConnectionIdOptions {
  /** 1 to 13 bytes, of the same length on all servers of the fleet and different on each. */
  readonly serverId: Uint8Array;
  /** Length of an ID in bytes, at most 20 and at least 7 more than the server ID. @defaultValue 16, or what is least */
  readonly bytes?: number;
}

/**
 * Connection IDs that are nothing but random.
 * @param bytes 8 to 20.
 * @throws TransportError `XMPP_BAD_OPTION`.
 */
export function createRandomConnectionIds(bytes: number = DEFAULT_CONNECTION_ID_BYTES): ConnectionIdGenerator {
  if (!isConnectionIdLength(bytes)) throw badOption(`${bytes} bytes are not from 8 to 20`);
  const random = new RandomPool();
  return { bytes, create: () => random.take(bytes) };
}

/**
 * Connection IDs that begin with the server ID in the clear, and are random after it, for a balancer that compares
 * bytes at a fixed place. Everybody on the way sees which server a client has; QUIC-LB can hide it
 * ({@link QuicLbConnectionIds}).
 * @throws TransportError `XMPP_BAD_OPTION`.
 */
export function createServerIdConnectionIds(options: ServerIdConnectionIdOptions): ConnectionIdGenerator {
  const serverId = new Uint8Array(options.serverId);
  const { bytes = Math.max(DEFAULT_CONNECTION_ID_BYTES, serverId.length + LEAST_RANDOM_BYTES) } = options;
  if (serverId.length === 0) throw badOption('the server ID is empty');
  if (!isConnectionIdLength(bytes) || bytes < serverId.length + LEAST_RANDOM_BYTES) {
    throw badOption(`${bytes} bytes are not from 8 to 20, and ${LEAST_RANDOM_BYTES} more than the server ID`);
  }
  return {
    bytes,
    create: () => Buffer.concat([serverId, randomBytes(bytes - serverId.length)]),
    recognizes: (connectionId) => Buffer.compare(connectionId.subarray(0, serverId.length), serverId) === 0,
  };
}

/** Whether IDs of ours may have this length. @internal */
export function isConnectionIdLength(bytes: number): boolean {
  return Number.isInteger(bytes) && bytes >= MIN_INITIAL_DCID_BYTES && bytes <= MAX_CONNECTION_ID_BYTES;
}

/**
 * Asks for one ID and checks it: a generator is somebody else's code.
 * @returns a copy.
 * @throws TransportError `XMPP_BAD_OPTION` for a wrong length, `XMPP_INTERNAL` when the generator throws.
 * @internal
 */
export function createCheckedConnectionId(generator: ConnectionIdGenerator, bytes: number): Uint8Array {
  let id: Uint8Array;
  try {
    id = new Uint8Array(generator.create());
  } catch (cause) {
    throw new TransportError('XMPP_INTERNAL', 'quic.connectionIds: the generator failed', { cause });
  }
  if (id.length === bytes) return id;
  throw badOption(`made an ID of ${id.length} bytes instead of ${bytes}`);
}

/**
 * Asks for two IDs, so that a generator that cannot work is known before a client comes.
 * @throws TransportError as {@link createCheckedConnectionId}, and `XMPP_BAD_OPTION` when they are the same.
 * @internal
 */
export function checkConnectionIdGenerator(generator: ConnectionIdGenerator): void {
  const { bytes } = generator;
  if (!isConnectionIdLength(bytes)) throw badOption(`${bytes} bytes are not from 8 to 20`);
  const [first, second] = [createCheckedConnectionId(generator, bytes), createCheckedConnectionId(generator, bytes)];
  if (connectionIdKey(first) === connectionIdKey(second)) throw badOption('made the same ID twice');
}

function badOption(why: string): TransportError {
  return new TransportError('XMPP_BAD_OPTION', `quic.connectionIds: ${why}`);
}
