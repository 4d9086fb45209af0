import type { Connection, OpenStreamOptions, StanzaStream } from './connection.ts';
import { CertificateError, TransportError } from './errors.ts';
import type { ConnectionKind } from './facts.ts';
import type { Delegation } from './security.ts';

/** Between whom a stream of a pool is to be: domains as A-labels. */
export interface DomainPair {
  readonly kind: ConnectionKind;
  readonly domain: string;
  /** Null where this side shows no certificate. */
  readonly localDomain: string | null;
  /** What the domain has said of the host and port. */
  readonly delegations: readonly Delegation[];
}

/** Equal for pairs about which the certificates of one connection have one answer. */
export function keyOfPair({ domain, localDomain, delegations }: DomainPair): string {
  return JSON.stringify([domain, localDomain, delegations]);
}

/** What a pool does about its connections. */
export interface PooledConnectionOptions {
  /** See {@link StreamPoolOptions}. */
  readonly idleTimeoutMs: number;
  readonly provesLocalDomain: (connection: Connection, localDomain: string) => boolean;
  /** The peer has opened a stream (XEP-0467 §2 (9), where both sides agreed to that). */
  readonly onStream: (stream: StanzaStream) => void;
}

/** Whether a connection is good for a pair of domains, and how long that counts. */
interface Judgement {
  readonly refusal: CertificateError | null;
  /** Milliseconds since the epoch. */
  readonly untilMs: number;
}

/** Judging a chain takes about a millisecond, which is much for each of many streams on each of many connections. */
const JUDGEMENT_KEPT_MS = 60_000;

/** Codes that say: not on this connection, but perhaps on another. */
const NOT_HERE: ReadonlySet<string> = new Set(['XMPP_LIMIT_EXCEEDED', 'XMPP_INVALID_STATE']);

/** One connection of a {@link StreamPool}: knows for whom it is good, counts its streams, and ends when it has none. */
export class PooledConnection {
  readonly connection: Connection;
  readonly #madeFor: DomainPair;
  readonly #options: PooledConnectionOptions;
  /** Whether our certificate proved the local domain at the beginning; where it never did, its end changes nothing. */
  readonly #provedLocalDomain: boolean;
  readonly #judgements = new Map<string, Judgement>();
  #streams = 0;
  #attempts = 0;
  #isUsable = true;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, madeFor: DomainPair, options: PooledConnectionOptions) {
    this.connection = connection;
    this.#madeFor = madeFor;
    this.#options = options;
    this.#provedLocalDomain = this.#provesLocalDomain(madeFor.localDomain);
    connection.streams$.subscribe({
      next: (stream) => {
        this.#count(stream);
        options.onStream(stream);
      },
      error: () => undefined,
    });
    connection.closed.then(() => {
      this.#isUsable = false;
      clearTimeout(this.#idleTimer);
    });
    this.#restIfUnused();
  }

  /** Whether further streams may be tried. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  /** Streams that are open, those of the peer among them. */
  get streams(): number {
    return this.#streams;
  }

  /** Streams that are open or asked for. */
  get load(): number {
    return this.#streams + this.#attempts;
  }

  /**
   * Whether the certificates of both sides prove the pair (XEP-0467 §2 (2) and (9)). They expire, and trust is withdrawn:
   * so it is asked again, though not for each stream.
   * @returns why not, or null.
   */
  judge(pair: DomainPair): CertificateError | null {
    const nowMs = Date.now();
    const key = keyOfPair(pair);
    const known = this.#judgements.get(key);
    if (known !== undefined && nowMs < known.untilMs) return known.refusal;
    const judgement = this.#judge(pair, nowMs);
    // Before the end of the handshake (0-RTT) little is known, and soon more.
    if (this.connection.security.verdict !== null) this.#judgements.set(key, judgement);
    return judgement.refusal;
  }

  #judge(pair: DomainPair, nowMs: number): Judgement {
    const { id, security } = this.connection;
    const isFirst = pair.domain === this.#madeFor.domain;
    const purpose = pair.kind === 'c2s' ? 'c2s-server' : 's2s-server';
    let untilMs = nowMs + JUDGEMENT_KEPT_MS;
    // Without a verdict the transport proved the domain in its own way, and that one only.
    if (!isFirst || security.verdict !== null) {
      const verdict = security.verify({ domain: pair.domain, purpose, delegations: pair.delegations });
      if (!verdict.verified) {
        const message = `connection ${id} is not good for ${pair.domain}: ${verdict.detail}`;
        const refusal = new CertificateError(verdict.reason, pair.domain, message, { alert: verdict.alert });
        return { refusal, untilMs };
      }
      untilMs = Math.min(untilMs, verdict.expiresAtMs);
    }
    if (this.#isGoodFrom(pair)) return { refusal: null, untilMs };
    const who = pair.localDomain ?? 'a client without a certificate';
    const message = `connection ${id} cannot be used by ${who}`;
    return { refusal: new CertificateError('name-mismatch', pair.localDomain, message), untilMs };
  }

  /** A stream, or null where there is none to be had at once. */
  async tryOpen(options: OpenStreamOptions): Promise<StanzaStream | null> {
    try {
      return await this.open({ ...options, waitMs: 0 });
    } catch (error) {
      if (!(error instanceof TransportError) || !NOT_HERE.has(error.code)) throw error;
      // Closed by its user, or ended a moment ago.
      if (error.code === 'XMPP_INVALID_STATE') this.#isUsable = false;
      return null;
    }
  }

  /** @throws TransportError as `Connection.openStream`. */
  async open(options: OpenStreamOptions): Promise<StanzaStream> {
    this.#attempts += 1;
    clearTimeout(this.#idleTimer);
    try {
      const stream = await this.connection.openStream(options);
      this.#count(stream);
      return stream;
    } finally {
      this.#attempts -= 1;
      this.#restIfUnused();
    }
  }

  /** Resolves with why the connection ended. */
  async ended(): Promise<TransportError> {
    const { error } = await this.connection.closed;
    return error ?? new TransportError('XMPP_PEER_CLOSED', 'the connection was closed before a stream could be opened');
  }

  close(): Promise<void> {
    this.#isUsable = false;
    clearTimeout(this.#idleTimer);
    return this.connection.close();
  }

  #count(stream: StanzaStream): void {
    this.#streams += 1;
    clearTimeout(this.#idleTimer);
    stream.closed.then(() => {
      this.#streams -= 1;
      this.#restIfUnused();
    });
  }

  #restIfUnused(): void {
    clearTimeout(this.#idleTimer);
    if (this.load > 0 || !this.#isUsable) return;
    this.#idleTimer = setTimeout(() => void this.close(), this.#options.idleTimeoutMs);
  }

  #isGoodFrom({ kind, localDomain }: DomainPair): boolean {
    if (localDomain === this.#madeFor.localDomain) {
      return !this.#provedLocalDomain || this.#provesLocalDomain(localDomain);
    }
    return kind === 's2s' && this.#madeFor.localDomain !== null && this.#provesLocalDomain(localDomain);
  }

  #provesLocalDomain(localDomain: string | null): boolean {
    return localDomain !== null && this.#options.provesLocalDomain(this.connection, localDomain);
  }
}
