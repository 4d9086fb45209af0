import { ClientHelloPeek } from './client-hello.ts';
import type { ClientHello } from './client-hello-parser.ts';
import type { ConnectionIds, IssuedConnectionId } from './connection-ids.ts';
import {
  connectionIdKey,
  isLongHeader,
  type LongHeader,
  MIN_INITIAL_DATAGRAM_BYTES,
  MIN_INITIAL_DCID_BYTES,
  parseLongHeader,
} from './packet-header.ts';
import { refuseInitial, retryPacket, statelessReset, versionNegotiation } from './stateless-packets.ts';
import type { Deadlined, TimerQueue } from './timer-queue.ts';
import type { AddressTokens, ResetTokenSource } from './tokens.ts';
import type { UdpSocket } from './udp-socket.ts';

/** Why a client is not let in: the transport error code it is told, and the reason for our log. */
export interface Refusal {
  readonly code: number;
  readonly reason: string;
}

/** A client whose ClientHello has been read. */
export interface Applicant {
  readonly hello: ClientHello;
  readonly socket: UdpSocket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The ID the client addresses its first packets to. */
  readonly initialConnectionId: Uint8Array;
  /** Set after a Retry: the ID of the client's very first packet. */
  readonly originalConnectionId: Uint8Array | null;
  /** The ID this side is to use: after a Retry the one it named. */
  readonly source: IssuedConnectionId;
  /** What has come so far, in order. */
  readonly datagrams: readonly Buffer[];
  /**
   * Whose limit the handshake counts for: an address, and apart from it the same one proved. Otherwise whoever spoofs an
   * address could use up what its owner may have.
   */
  readonly quota: string;
}

/** Who decides about applicants. */
export interface Gatekeeper {
  /** Unfinished handshakes now, in all or of one {@link Applicant.quota}. */
  pendingHandshakes(quota: string | null): number;
  /** Lets the client in, or says why not. */
  admit(applicant: Applicant): Refusal | null;
  /** {@link admit} threw. */
  onFault(thrown: unknown): void;
}

/** What admission is held to. */
export interface AdmissionLimits {
  readonly maxPendingHandshakes: number;
  readonly maxPendingHandshakesPerAddress: number;
  readonly retry: 'auto' | 'always' | 'never';
  readonly retryThreshold: number;
}

/** What came to an endpoint and led to no connection; each number only ever grows. */
export interface EndpointCounters {
  /** Not QUIC, truncated, or too small to be answered. */
  malformed: number;
  /** Answered with Version Negotiation (RFC 9000 §6). */
  versionNegotiated: number;
  /** Addressed to a connection nobody knows. */
  unknownConnection: number;
  /** Of those, answered with a stateless reset (RFC 9000 §10.3). */
  statelessResets: number;
  /** Answered with Retry (RFC 9000 §8.1.2). */
  retried: number;
  /** Refused with a code: SNI, ALPN, token, or too many handshakes. */
  refused: number;
  /** Initial packets that hold no ClientHello. */
  unreadable: number;
  /** Let in. */
  admitted: number;
}

export const createCounters = (): EndpointCounters => ({
  malformed: 0,
  versionNegotiated: 0,
  unknownConnection: 0,
  statelessResets: 0,
  retried: 0,
  refused: 0,
  unreadable: 0,
  admitted: 0,
});

/** A ClientHello in several datagrams has to be whole within this time. */
const PEEK_TIMEOUT_MS = 3_000;
/** Unfinished peeks of one endpoint; each holds at most four datagrams. */
const MAX_PEEKS = 1_000;
/** INTERNAL_ERROR, CONNECTION_REFUSED, INVALID_TOKEN (RFC 9000 §20.1). */
const INTERNAL_ERROR = 0x01;
const CONNECTION_REFUSED = 0x02;
const INVALID_TOKEN = 0x0b;
const NO_CONNECTION_ID: Refusal = { code: INTERNAL_ERROR, reason: '' };

interface Peek extends Deadlined {
  readonly hello: ClientHelloPeek;
  readonly datagrams: Buffer[];
}

/** The door of a server: what to do with a datagram that belongs to no connection. Keeps next to nothing for it. */
export class Admission {
  readonly counters: EndpointCounters = createCounters();
  readonly #gatekeeper: Gatekeeper;
  readonly #limits: AdmissionLimits;
  readonly #ids: ConnectionIds<UdpSocket>;
  readonly #timers: TimerQueue;
  readonly #addressTokens: AddressTokens;
  readonly #resetTokens: ResetTokenSource;
  readonly #peeks = new Map<string, Peek>();
  readonly #peeksByQuota = new Map<string, number>();

  constructor(
    gatekeeper: Gatekeeper,
    limits: AdmissionLimits,
    shared: { readonly ids: ConnectionIds<UdpSocket>; readonly timers: TimerQueue },
    tokens: { readonly address: AddressTokens; readonly reset: ResetTokenSource },
  ) {
    this.#gatekeeper = gatekeeper;
    this.#limits = limits;
    this.#ids = shared.ids;
    this.#timers = shared.timers;
    this.#addressTokens = tokens.address;
    this.#resetTokens = tokens.reset;
  }

  /** Forgets everything that is half done. */
  close(): void {
    for (const peek of this.#peeks.values()) this.#timers.remove(peek);
    this.#peeks.clear();
    this.#peeksByQuota.clear();
  }

  receive(datagram: Buffer, remoteAddress: string, remotePort: number, socket: UdpSocket): void {
    const { counters } = this;
    if (!isLongHeader(datagram)) {
      this.#onUnknownShortPacket(datagram, remoteAddress, remotePort, socket);
      return;
    }
    const header = parseLongHeader(datagram);
    if (header === null || datagram.length < MIN_INITIAL_DATAGRAM_BYTES) {
      counters.malformed += 1;
    } else if (header.type === 'other-version') {
      counters.versionNegotiated += 1;
      socket.send(versionNegotiation(header), remoteAddress, remotePort);
    } else if (header.type !== 'initial') {
      counters.unknownConnection += 1;
    } else if (header.destinationConnectionId.length < MIN_INITIAL_DCID_BYTES) {
      counters.malformed += 1;
    } else {
      this.#onInitial(datagram, header, { remoteAddress, remotePort, socket });
    }
  }

  /** RFC 9000 §10.3: tells a peer that its connection is gone, for example over a restart of this process. */
  #onUnknownShortPacket(datagram: Buffer, remoteAddress: string, remotePort: number, socket: UdpSocket): void {
    this.counters.unknownConnection += 1;
    const end = 1 + this.#ids.bytes;
    if (datagram.length <= end) return;
    const addressed = datagram.subarray(1, end);
    if (!this.#ids.mayBeOurs(addressed)) return;
    const reset = statelessReset(this.#resetTokens.of(addressed), datagram.length);
    if (reset === null) return;
    this.counters.statelessResets += 1;
    socket.send(reset, remoteAddress, remotePort);
  }

  #onInitial(
    datagram: Buffer,
    header: LongHeader,
    from: { readonly remoteAddress: string; readonly remotePort: number; readonly socket: UdpSocket },
  ): void {
    const { remoteAddress, remotePort, socket } = from;
    const key = `${remoteAddress} ${remotePort} ${connectionIdKey(header.destinationConnectionId)}`;
    const known = this.#peeks.get(key);
    const binding = {
      host: remoteAddress,
      port: remotePort,
      retrySourceConnectionId: header.destinationConnectionId,
    };
    const token = header.token.length === 0 ? 'foreign' : this.#addressTokens.open(header.token, binding, Date.now());
    // A Retry of this server names an ID of this length; another one could not be found again in short headers.
    const foreignLength = token !== 'foreign' && header.destinationConnectionId.length !== this.#ids.bytes;
    if (token === 'invalid' || foreignLength) {
      this.#refuse(header, from, { code: INVALID_TOKEN, reason: 'the token is not valid' });
      return;
    }
    const quota = token === 'foreign' ? remoteAddress : `proved ${remoteAddress}`;
    if (known === undefined) {
      const crowded = this.#isCrowded(quota);
      const retries = token === 'foreign' && this.#demandsRetry(crowded);
      if (this.#isFull() || (crowded && !retries)) {
        this.#refuse(header, from, { code: CONNECTION_REFUSED, reason: 'too many unfinished handshakes' });
        return;
      }
      if (retries) {
        const id = this.#createConnectionId()?.id;
        if (id === undefined) {
          this.#refuse(header, from, NO_CONNECTION_ID);
          return;
        }
        const sealed = this.#addressTokens.seal(
          header.destinationConnectionId,
          { ...binding, retrySourceConnectionId: id },
          Date.now(),
        );
        this.counters.retried += 1;
        socket.send(retryPacket(header, id, sealed), remoteAddress, remotePort);
        return;
      }
    }
    const peek = known ?? this.#startPeek(key, header, quota);
    peek.datagrams.push(ownBytes(datagram));
    const hello = peek.hello.feed(datagram);
    if (hello === 'more') return;
    this.#endPeek(key, peek, quota);
    if (hello === 'invalid') {
      this.counters.unreadable += 1;
      return;
    }
    const source =
      token === 'foreign'
        ? this.#createConnectionId()
        : this.#ids.withToken(new Uint8Array(header.destinationConnectionId));
    if (source === null) {
      this.#refuse(header, from, NO_CONNECTION_ID);
      return;
    }
    const refusal = this.#admit({
      hello,
      ...from,
      initialConnectionId: new Uint8Array(header.destinationConnectionId),
      originalConnectionId: token === 'foreign' ? null : new Uint8Array(token.originalDestinationConnectionId),
      source,
      datagrams: peek.datagrams,
      quota,
    });
    if (refusal === null) this.counters.admitted += 1;
    else this.#refuse(header, from, refusal);
  }

  /** @returns null when the generator, which may be the user's, makes none. */
  #createConnectionId(): IssuedConnectionId | null {
    try {
      return this.#ids.create();
    } catch (thrown) {
      this.#gatekeeper.onFault(thrown);
      return null;
    }
  }

  /** Whatever goes wrong inside is no reason to fall over a client's datagram. */
  #admit(applicant: Applicant): Refusal | null {
    try {
      return this.#gatekeeper.admit(applicant);
    } catch (thrown) {
      this.#gatekeeper.onFault(thrown);
      return { code: INTERNAL_ERROR, reason: '' };
    }
  }

  #isFull(): boolean {
    return (
      this.#peeks.size >= MAX_PEEKS || this.#gatekeeper.pendingHandshakes(null) >= this.#limits.maxPendingHandshakes
    );
  }

  #isCrowded(quota: string): boolean {
    const unfinished = this.#gatekeeper.pendingHandshakes(quota) + (this.#peeksByQuota.get(quota) ?? 0);
    return unfinished >= this.#limits.maxPendingHandshakesPerAddress;
  }

  #demandsRetry(crowded: boolean): boolean {
    const { retry, retryThreshold } = this.#limits;
    if (retry !== 'auto') return retry === 'always';
    return crowded || this.#gatekeeper.pendingHandshakes(null) + this.#peeks.size >= retryThreshold;
  }

  #refuse(
    header: LongHeader,
    { remoteAddress, remotePort, socket }: { remoteAddress: string; remotePort: number; socket: UdpSocket },
    { code, reason }: Refusal,
  ): void {
    this.counters.refused += 1;
    socket.send(refuseInitial(header, code, reason), remoteAddress, remotePort);
  }

  #startPeek(key: string, header: LongHeader, quota: string): Peek {
    const peek: Peek = {
      hello: new ClientHelloPeek(header.destinationConnectionId),
      datagrams: [],
      deadlineAtMs: performance.now() + PEEK_TIMEOUT_MS,
      onDeadline: () => {
        this.#endPeek(key, peek, quota);
        this.counters.unreadable += 1;
      },
    };
    this.#peeks.set(key, peek);
    this.#peeksByQuota.set(quota, (this.#peeksByQuota.get(quota) ?? 0) + 1);
    this.#timers.update(peek);
    return peek;
  }

  #endPeek(key: string, peek: Peek, quota: string): void {
    this.#timers.remove(peek);
    if (!this.#peeks.delete(key)) return;
    const left = (this.#peeksByQuota.get(quota) ?? 1) - 1;
    if (left > 0) this.#peeksByQuota.set(quota, left);
    else this.#peeksByQuota.delete(quota);
  }
}

/** What is kept for a while: not as a view into all that another process has handed over along with it. */
function ownBytes(datagram: Buffer): Buffer {
  return datagram.buffer.byteLength > 2 * datagram.length ? Buffer.from(datagram) : datagram;
}
