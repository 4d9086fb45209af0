import { createHash } from 'node:crypto';
import { type IdentityQuestion, type Logger, toTransportError } from '@stanzaport/core';
import { ALPN_OF, type CertificatePolicy } from '@stanzaport/tls-shared';
import type { QuicSecurity } from './quic-security.ts';
import { decodeTicket, encodeTicket, type SessionTicketStore } from './session-tickets.ts';

/** Longest time a ticket is kept, in milliseconds; a server may have forgotten it long before. RFC 8446 §4.6.1 allows 7 days. */
const MAX_AGE_MS = 24 * 60 * 60 * 1_000;

/** Larger sessions are not kept, in bytes: they hold what a server put in its ticket, and its certificates. */
const MAX_SESSION_BYTES = 32_768;

/** Which connections may resume each other: those to one domain, by one ALPN, with one certificate of ours. */
export interface SessionScope {
  /** What the peer has to prove. */
  readonly question: IdentityQuestion;
  /** What this side has for the peer, DER, end-entity first. */
  readonly localCertificates: readonly Uint8Array[];
}

/** What a client resumes its connections by. */
export class ClientSessions {
  readonly #store: SessionTicketStore | null;
  readonly #policy: CertificatePolicy;
  readonly #logger: Logger;

  /** @param store null for no resumption. */
  constructor(store: SessionTicketStore | null, policy: CertificatePolicy, logger: Logger) {
    this.#store = store;
    this.#policy = policy;
    this.#logger = logger;
  }

  /** A session for the engine, whose peer would be let through today; null where a full handshake has to be made. */
  async take(scope: SessionScope): Promise<Uint8Array | null> {
    if (this.#store === null) return null;
    const key = keyOf(scope);
    try {
      const kept = await this.#store.take(key);
      const ticket = kept === null ? null : decodeTicket(kept);
      if (ticket === null || ticket.scope !== key || ticket.expiresAtMs <= Date.now()) return null;
      // What was trusted then need not be trusted now, and a resumption shows no certificate (RFC 8446 §2.2).
      const verdict = this.#policy.verifyPeer(ticket.peerCertificates, scope.question);
      return verdict.verified ? ticket.session : null;
    } catch (thrown) {
      this.#warn(thrown);
      return null;
    }
  }

  /** Keeps the session of a connection whose peer has proved itself. */
  async keep(scope: SessionScope, session: Uint8Array, { verdict, peerCertificates }: QuicSecurity): Promise<void> {
    if (this.#store === null || verdict?.verified !== true || session.length > MAX_SESSION_BYTES) return;
    const key = keyOf(scope);
    const expiresAtMs = Math.min(Date.now() + MAX_AGE_MS, verdict.expiresAtMs);
    try {
      await this.#store.put(key, encodeTicket({ scope: key, expiresAtMs, session, peerCertificates }), expiresAtMs);
    } catch (thrown) {
      this.#warn(thrown);
    }
  }

  #warn(thrown: unknown): void {
    this.#logger.warn({ err: toTransportError(thrown, 'session tickets') }, 'the store of session tickets failed');
  }
}

function keyOf({ question: { domain, purpose }, localCertificates: [own] }: SessionScope): string {
  const alpn = ALPN_OF[purpose === 'c2s-server' ? 'c2s' : 's2s'];
  return own === undefined
    ? `${alpn} ${domain}`
    : `${alpn} ${domain} ${createHash('sha256').update(own).digest('hex')}`;
}
