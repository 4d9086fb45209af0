import { randomBytes } from 'node:crypto';
import { connectionIdKey } from './packet-header.ts';
import type { ResetTokens } from './tokens.ts';

/** Length of every connection ID we issue, in bytes; short headers do not tell it (RFC 9000 §5.1). */
export const CONNECTION_ID_BYTES = 16;

/** Takes the datagrams addressed to its connection IDs. */
export interface Addressee<Socket> {
  receive(datagram: Buffer, remoteAddress: string, remotePort: number, socket: Socket): void;
}

/** A connection ID of ours and the token that resets it (RFC 9000 §10.3). */
export interface IssuedConnectionId {
  readonly id: Uint8Array;
  readonly resetToken: Uint8Array;
}

/** Which connection ID leads to whom: every ID we issue, and until the handshake is done the one a client chose. */
export class ConnectionIds<Socket> {
  readonly #routes = new Map<string, Addressee<Socket>>();
  readonly #resetTokens: ResetTokens;

  constructor(resetTokens: ResetTokens) {
    this.#resetTokens = resetTokens;
  }

  get size(): number {
    return this.#routes.size;
  }

  find(key: string): Addressee<Socket> | undefined {
    return this.#routes.get(key);
  }

  /** A fresh random ID that leads nowhere yet. */
  create(): IssuedConnectionId {
    return this.withToken(randomBytes(CONNECTION_ID_BYTES));
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
