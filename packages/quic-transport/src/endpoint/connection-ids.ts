import { TransportError } from '@stanzaport/core';
import {
  type ConnectionIdGenerator,
  createCheckedConnectionId,
  createRandomConnectionIds,
} from './connection-id-generator.ts';
import { connectionIdKey } from './packet-header.ts';
import type { ResetTokenSource } from './tokens.ts';

/** How often a generator is asked for an ID that is not in use. */
const ATTEMPTS = 8;

/** Takes the datagrams addressed to its connection IDs. */
export interface Addressee<Socket> {
  /** @param key of the ID it is addressed to; null when that led nowhere. */
  receive(datagram: Buffer, remoteAddress: string, remotePort: number, socket: Socket, key: string | null): void;
}

/** A connection ID of ours and the token that resets it (RFC 9000 §10.3). */
export interface IssuedConnectionId {
  readonly id: Uint8Array;
  readonly resetToken: Uint8Array;
}

/** Which connection ID leads to whom: every ID we issue, and until the handshake is done the one a client chose. */
export class ConnectionIds<Socket> {
  /** Length of every ID we issue, in bytes; short headers do not tell it (RFC 9000 §5.1). */
  readonly bytes: number;
  readonly #routes = new Map<string, Addressee<Socket>>();
  readonly #resetTokens: ResetTokenSource;
  readonly #generator: ConnectionIdGenerator;

  constructor(resetTokens: ResetTokenSource, generator: ConnectionIdGenerator = createRandomConnectionIds()) {
    this.#resetTokens = resetTokens;
    this.#generator = generator;
    this.bytes = generator.bytes;
  }

  get size(): number {
    return this.#routes.size;
  }

  find(key: string): Addressee<Socket> | undefined {
    return this.#routes.get(key);
  }

  /**
   * A fresh ID that leads nowhere yet.
   * @throws TransportError `XMPP_BAD_OPTION` when the generator gives none that can be used, `XMPP_INTERNAL` when it fails.
   */
  create(): IssuedConnectionId {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const id = createCheckedConnectionId(this.#generator, this.bytes);
      if (!this.#routes.has(connectionIdKey(id))) return this.withToken(id);
    }
    throw new TransportError('XMPP_BAD_OPTION', 'quic.connectionIds: makes the same ID again and again');
  }

  /** Whether an ID that leads nowhere may be one we issued: in another life, or to a connection that is gone. */
  mayBeOurs(id: Uint8Array): boolean {
    try {
      return this.#generator.recognizes?.(id) ?? true;
    } catch {
      // Whatever somebody else's code makes of bytes from the network is no reason to fall over them.
      return false;
    }
  }

  /** The reset token belongs to the ID alone, so that it can be made again after a restart. */
  withToken(id: Uint8Array): IssuedConnectionId {
    return { id, resetToken: this.#resetTokens.of(id) };
  }

  /** @returns the key, for {@link remove}. */
  add(id: Uint8Array, addressee: Addressee<Socket>): string {
    const key = connectionIdKey(id);
    this.#routes.set(key, addressee);
    return key;
  }

  /** Leads the IDs of `keys` to `addressee` instead. */
  redirect(keys: Iterable<string>, addressee: Addressee<Socket>): void {
    for (const key of keys) this.#routes.set(key, addressee);
  }

  remove(key: string): void {
    this.#routes.delete(key);
  }
}
