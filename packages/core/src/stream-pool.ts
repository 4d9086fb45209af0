import type { Observable } from 'rxjs';
import type { Connection, OpenStreamOptions, StanzaStream } from './connection.ts';
import { normalizeDomain } from './domain.ts';
import { TransportError } from './errors.ts';
import { Inbox } from './inbox.ts';
import { type Logger, silentLogger } from './logger.ts';
import { type DomainPair, keyOfPair, PooledConnection, type PooledConnectionOptions } from './pooled-connection.ts';
import { SharedConnect } from './shared-connect.ts';
import { endingFaultyStreams } from './stream-handler-fault.ts';
import type { ConnectTarget, Transport } from './transport.ts';

/** What a {@link StreamPool} can be told. */
export interface StreamPoolOptions {
  /**
   * How long a connection may be without a stream before it is closed, in milliseconds. @defaultValue 30,000
   */
  readonly idleTimeoutMs?: number;
  /**
   * How many connections to one host and port may serve the same pair of domains at once; where all of them are full, a
   * stream waits for the least loaded. 1 keeps to a single connection. @defaultValue no limit
   */
  readonly maxConnections?: number;
  /**
   * s2s: whether the certificate this side presented on `connection` proves `localDomain` as well, so that streams from
   * both domains may share it. @defaultValue never: each local domain has connections of its own
   */
  readonly provesLocalDomain?: (connection: Connection, localDomain: string) => boolean;
  /** @defaultValue nothing is logged */
  readonly logger?: Logger;
}

/** How {@link StreamPool.openStream} opens a stream. */
export interface PooledStreamOptions extends OpenStreamOptions {
  /**
   * What to do where connections to the host and port stand, but the certificates of none prove the pair of domains:
   * open another connection, or refuse with a {@link CertificateError} before a byte is sent. @defaultValue `'connect'`
   */
  readonly whenUnproved?: 'connect' | 'refuse';
}

/** Connections to one host and port. */
interface Endpoint {
  readonly connections: Set<PooledConnection>;
  readonly attempts: Map<SharedConnect<PooledConnection>, DomainPair>;
}

/** Longest delay a Node.js timer can hold. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Stanza streams on as few connections as their security allows (XEP-0467 §2 (9)): several accounts of a domain, several
 * domains, several pairs of domains share a connection where the certificates presented on it prove them all. Works with
 * every transport; with one that carries a single stream a connection, each stream gets its own.
 */
export class StreamPool implements AsyncDisposable {
  /** Streams that peers opened on connections of this pool, each once; those that come before a subscription wait for it. */
  readonly streams$: Observable<StanzaStream>;
  readonly #transport: Transport;
  readonly #maxConnections: number;
  readonly #connectionOptions: PooledConnectionOptions;
  readonly #inbox: Inbox<StanzaStream>;
  readonly #endpoints = new Map<string, Endpoint>();
  #closing: Promise<void> | null = null;

  /** @throws TransportError `XMPP_BAD_OPTION`. */
  constructor(transport: Transport, options: StreamPoolOptions = {}) {
    const { idleTimeoutMs = 30_000, maxConnections = Number.POSITIVE_INFINITY, logger = silentLogger } = options;
    checkOption('idleTimeoutMs', idleTimeoutMs, Number.isInteger(idleTimeoutMs) && idleTimeoutMs <= LONGEST_TIMER_MS);
    checkOption('maxConnections', maxConnections, Number.isInteger(maxConnections) || maxConnections === Infinity);
    this.#transport = transport;
    this.#maxConnections = maxConnections;
    this.#inbox = new Inbox(endingFaultyStreams(logger));
    this.streams$ = this.#inbox.observable;
    this.#connectionOptions = {
      idleTimeoutMs,
      provesLocalDomain: options.provesLocalDomain ?? (() => false),
      onStream: (stream) => {
        this.#inbox.push(stream);
        stream.closed.then(() => this.#inbox.drop(stream));
      },
    };
  }

  /** The connections that stand. */
  get connections(): readonly Connection[] {
    return [...this.#endpoints.values()].flatMap(({ connections }) => [...connections].map((one) => one.connection));
  }

  /**
   * Opens a stanza stream to `target.domain`, on a connection that stands if there is a fitting one; the caller sends the
   * first header. Those who ask at the same time share one handshake.
   * @throws TransportError as {@link Transport.connect} and {@link Connection.openStream} say; `XMPP_INVALID_STATE` after
   *   {@link close}; a CertificateError for `whenUnproved: 'refuse'`.
   */
  async openStream(target: ConnectTarget, options: PooledStreamOptions = {}): Promise<StanzaStream> {
    const { whenUnproved = 'connect', ...streamOptions } = options;
    const { signal } = options;
    const pair = pairOf(target);
    const key = keyOf(target);
    let hasWaited = false;
    for (;;) {
      this.#assertOpen(signal);
      const usable = [...this.#endpoint(key).connections].filter((one) => one.isUsable);
      const refusals = usable.map((one) => one.judge(pair));
      const fitting = usable.filter((_, index) => refusals[index] === null);
      const stream = await this.#openOnOneOf(fitting, streamOptions);
      if (stream !== null) return stream;

      const { attempts } = this.#endpoint(key);
      const own = [...attempts].find(([attempt, other]) => !attempt.isCalledOff && isSamePair(pair, other));
      const [other] = attempts.keys();
      if (own === undefined && other !== undefined && !hasWaited) {
        // Its certificate may be good for this pair, too. A second time is not waited for: it may be of no use, and long.
        hasWaited = true;
        await other.over(signal);
        continue;
      }
      const [refusal] = refusals;
      if (own === undefined && fitting.length === 0 && refusal && whenUnproved === 'refuse') throw refusal;

      const connection = await this.#join(own?.[0] ?? this.#connect(key, target, pair), signal);
      const first = await this.#openOnOneOf([connection], streamOptions);
      if (first !== null) return first;
      this.#assertOpen(signal);
      // A peer that ends connections as soon as they stand must not be asked for ever.
      if (!connection.isUsable) throw await connection.ended();
    }
  }

  /** Closes every connection as {@link Connection.close} does, and calls off those being made. Idempotent, never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Null where a further connection is the better way to a stream. */
  async #openOnOneOf(fitting: readonly PooledConnection[], options: OpenStreamOptions): Promise<StanzaStream | null> {
    for (const one of fitting) {
      const stream = await one.tryOpen(options);
      if (stream !== null) return stream;
    }
    const usable = fitting.filter((one) => one.isUsable);
    // Where a peer grants not even a first stream yet, another connection would be no better.
    const awaited =
      usable.find((one) => one.streams === 0) ??
      (usable.length < this.#maxConnections ? undefined : leastLoaded(usable));
    return awaited === undefined ? null : await awaited.open(options);
  }

  #connect(key: string, target: ConnectTarget, pair: DomainPair): SharedConnect<PooledConnection> {
    const { connections, attempts } = this.#endpoint(key);
    const attempt = new SharedConnect(async (signal) => {
      try {
        const connection = await this.#transport.connect(target, { signal });
        const pooled = new PooledConnection(connection, pair, this.#connectionOptions);
        connections.add(pooled);
        connection.closed.then(() => {
          connections.delete(pooled);
          this.#forgetIfEmpty(key);
        });
        return pooled;
      } finally {
        attempts.delete(attempt);
        this.#forgetIfEmpty(key);
      }
    });
    attempts.set(attempt, pair);
    return attempt;
  }

  async #join(attempt: SharedConnect<PooledConnection>, signal: AbortSignal | undefined): Promise<PooledConnection> {
    try {
      return await attempt.join(signal);
    } catch (error) {
      this.#assertOpen(signal);
      throw error;
    }
  }

  #endpoint(key: string): Endpoint {
    const known = this.#endpoints.get(key);
    if (known !== undefined) return known;
    const endpoint: Endpoint = { connections: new Set(), attempts: new Map() };
    this.#endpoints.set(key, endpoint);
    return endpoint;
  }

  #forgetIfEmpty(key: string): void {
    const endpoint = this.#endpoints.get(key);
    if (endpoint?.connections.size === 0 && endpoint.attempts.size === 0) this.#endpoints.delete(key);
  }

  #assertOpen(signal: AbortSignal | undefined): void {
    if (this.#closing !== null) throw new TransportError('XMPP_INVALID_STATE', 'the stream pool is closed');
    if (signal?.aborted) throw new TransportError('XMPP_ABORTED', 'opening a stream was aborted');
  }

  async #close(): Promise<void> {
    const endpoints = [...this.#endpoints.values()];
    const attempts = endpoints.flatMap((endpoint) => [...endpoint.attempts.keys()]);
    for (const attempt of attempts) attempt.callOff();
    await Promise.all(attempts.map((attempt) => attempt.over(undefined)));
    await Promise.all(endpoints.flatMap(({ connections }) => [...connections].map((one) => one.close())));
    this.#inbox.complete();
  }
}

function pairOf({ kind, domain, localDomain, delegations = [] }: ConnectTarget): DomainPair {
  const local = localDomain === undefined ? null : domainOf(localDomain);
  return { kind, domain: domainOf(domain), localDomain: local, delegations };
}

function domainOf(text: string): string {
  const domain = normalizeDomain(text);
  if (domain !== null) return domain;
  throw new TransportError('XMPP_BAD_OPTION', `'${text}' is no domain`);
}

/** Connections to the same host and port may be shared; which host that is proves nothing (RFC 9525 §6.1). */
function keyOf({ kind, domain, host = domain, port }: ConnectTarget): string {
  return `${kind} ${normalizeDomain(host) ?? host.toLowerCase()} ${port ?? 'default'}`;
}

function isSamePair(one: DomainPair, other: DomainPair): boolean {
  return keyOfPair(one) === keyOfPair(other);
}

function leastLoaded(connections: readonly PooledConnection[]): PooledConnection | undefined {
  return [...connections].sort((one, other) => one.load - other.load)[0];
}

function checkOption(name: keyof StreamPoolOptions, value: number, isInRange: boolean): void {
  if (isInRange && value >= 1) return;
  throw new TransportError('XMPP_BAD_OPTION', `pool.${name}: ${value} is out of its range`);
}
