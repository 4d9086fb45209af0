import { createHash } from 'node:crypto';

/**
 * Where a client keeps its session tickets (RFC 8446 §4.6.1). A ticket holds secrets: who can read it can act as this
 * client towards the server, who can write it can act as the server; keep it as private keys are kept. A store that
 * fails is no obstacle: the connection makes a full handshake.
 */
export interface SessionTicketStore {
  /**
   * Gives out a ticket that was put under `scope` and has not expired, and forgets it: none is used twice (RFC 8446
   * §C.4). Null for none.
   */
  take(scope: string): Uint8Array | null | Promise<Uint8Array | null>;
  /** @param scope opaque, at most some hundred characters. @param expiresAtMs since the epoch. */
  put(scope: string, ticket: Uint8Array, expiresAtMs: number): void | Promise<void>;
}

interface KeptTicket {
  readonly scope: string;
  readonly ticket: Uint8Array;
  readonly expiresAtMs: number;
}

const DEFAULT_MAX_TICKETS = 1_000;

/** Keeps tickets in memory: the newest ones, of all scopes together at most so many. */
export class MemorySessionTicketStore implements SessionTicketStore {
  readonly #maxTickets: number;
  /** In the order in which they came. */
  readonly #tickets = new Set<KeptTicket>();

  /** @param maxTickets @defaultValue 1,000, each of some kilobytes */
  constructor({ maxTickets = DEFAULT_MAX_TICKETS }: { readonly maxTickets?: number } = {}) {
    this.#maxTickets = maxTickets;
  }

  get size(): number {
    return this.#tickets.size;
  }

  take(scope: string): Uint8Array | null {
    const nowMs = Date.now();
    let newest: KeptTicket | null = null;
    for (const kept of this.#tickets) {
      if (kept.expiresAtMs <= nowMs) this.#tickets.delete(kept);
      else if (kept.scope === scope) newest = kept;
    }
    if (newest === null) return null;
    this.#tickets.delete(newest);
    return newest.ticket;
  }

  put(scope: string, ticket: Uint8Array, expiresAtMs: number): void {
    this.#tickets.add({ scope, ticket, expiresAtMs });
    for (const oldest of this.#tickets) {
      if (this.#tickets.size <= this.#maxTickets) return;
      this.#tickets.delete(oldest);
    }
  }
}

/** What is in a ticket as a store keeps it. */
export interface SessionTicket {
  readonly scope: string;
  readonly expiresAtMs: number;
  /** The engine's. */
  readonly session: Uint8Array;
  /** What the peer presented when it proved itself, DER, end-entity first. */
  readonly peerCertificates: readonly Uint8Array[];
}

const FORMAT = 1;
const DIGEST_BYTES = 32;

export function encodeTicket({ scope, expiresAtMs, session, peerCertificates }: SessionTicket): Uint8Array {
  const content = Buffer.from(
    JSON.stringify([FORMAT, scope, expiresAtMs, toText(session), peerCertificates.map(toText)]),
  );
  return Buffer.concat([digestOf(content), content]);
}

/** @returns null for whatever is not, byte for byte, what {@link encodeTicket} made. */
export function decodeTicket(ticket: Uint8Array): SessionTicket | null {
  const content = ticket.subarray(DIGEST_BYTES);
  if (Buffer.compare(ticket.subarray(0, DIGEST_BYTES), digestOf(content)) !== 0) return null;
  try {
    const fields: [number, string, number, string, string[]] = JSON.parse(Buffer.from(content).toString());
    const [format, scope, expiresAtMs, session, certificates] = fields;
    if (format !== FORMAT) return null;
    return { scope, expiresAtMs, session: toBytes(session), peerCertificates: certificates.map(toBytes) };
  } catch {
    return null;
  }
}

const digestOf = (content: Uint8Array): Buffer => createHash('sha256').update(content).digest();
const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const toBytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
