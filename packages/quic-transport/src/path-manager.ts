import { isIP } from 'node:net';
import { type Logger, type MigrateOptions, TransportError, toTransportError, unlessAborted } from '@stanzaport/core';
import type { ConnectionDriver } from './endpoint/connection-driver.ts';
import type { PathWatcher } from './endpoint/driver-owner.ts';
import type { Endpoint } from './endpoint/endpoint.ts';
import type { NetworkWatch } from './endpoint/network-watch.ts';
import type { UdpSocket } from './endpoint/udp-socket.ts';

/** What a path manager works with. */
export interface PathManagerOptions {
  readonly driver: ConnectionDriver;
  readonly endpoint: Endpoint;
  /** Literal address and port of the peer. */
  readonly address: string;
  readonly port: number;
  readonly logger: Logger;
  /** Whether to migrate without being asked; null watches nothing. */
  readonly networkWatch: NetworkWatch | null;
}

/** Why a path is left. */
type Cause = 'asked' | 'silence' | 'send-failed' | 'address-gone';

/** A move whose success is awaited. */
interface Move {
  readonly heard: () => void;
  readonly fail: (error: TransportError) => void;
}

/** What a send fails with when the network under a socket has gone. */
const NETWORK_GONE: ReadonlySet<string> = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'EINVAL',
  'EPERM',
]);
/** Probe timeouts without any answer after which the path counts as dead. Each is twice as long as the one before. */
const SILENT_PROBES = 3;
/** An answer over a new path is awaited for so many probe timeouts, and not shorter than this, in milliseconds. */
const ANSWER_PROBES = 6;
const LEAST_ANSWER_MS = 1_000;
/** How long datagrams that were on their way to the old address are still taken, in probe timeouts. */
const LINGER_PROBES = 3;

/**
 * Keeps a client's connection on a network path that works (XEP-0467 §2 (8), RFC 9000 §9): on demand, and by itself when
 * addresses go, sends fail, or nothing comes back. Every move is a new socket and a new connection ID; the old socket is
 * listened on until the new path has proved itself.
 */
export class PathManager implements PathWatcher {
  readonly #driver: ConnectionDriver;
  readonly #endpoint: Endpoint;
  readonly #address: string;
  readonly #port: number;
  readonly #logger: Logger;
  readonly #isAutomatic: boolean;
  readonly #stopWatching: () => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  #move: Move | null = null;
  /** The last move that was begun, whatever becomes of it. */
  #last: Promise<void> = Promise.resolve();
  #isMovingByItself = false;
  #ended: TransportError | null = null;

  constructor({ driver, endpoint, address, port, logger, networkWatch }: PathManagerOptions) {
    this.#driver = driver;
    this.#endpoint = endpoint;
    this.#address = address;
    this.#port = port;
    this.#logger = logger;
    this.#isAutomatic = networkWatch !== null;
    this.#stopWatching = networkWatch?.watch((gone) => this.#onAddressesChanged(gone)) ?? (() => undefined);
    driver.pathWatcher = this;
  }

  /**
   * Moves to a path from `localAddress`, or to whatever path the routing table prefers; one move after the other.
   * @throws TransportError as `MigratableConnection.migrate` says.
   */
  migrate({ localAddress, signal }: MigrateOptions): Promise<void> {
    const move = this.#last.then(() => this.#migrate(localAddress ?? null, 'asked', signal));
    this.#last = move.catch(() => undefined);
    return unlessAborted(move, signal, 'the migration');
  }

  /** The connection has ended. */
  end(error: TransportError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#stopWatching();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#move?.fail(error);
  }

  onHeard(): void {
    this.#move?.heard();
  }

  onSilence(probeTimeouts: number): void {
    if (probeTimeouts >= SILENT_PROBES) this.#moveByItself('silence');
  }

  onBackoff(): void {
    this.#moveByItself('silence');
  }

  /** A send on `socket` failed. */
  onSocketError(error: NodeJS.ErrnoException, socket: UdpSocket): void {
    if (socket === this.#driver.carrier.socket && NETWORK_GONE.has(error.code ?? '')) this.#moveByItself('send-failed');
  }

  #onAddressesChanged(gone: ReadonlySet<string>): void {
    if (gone.has(this.#driver.carrier.socket.address.address)) this.#moveByItself('address-gone');
    // The network may be back: sooner than the next probe, each of which waits twice as long as the one before.
    else if (this.#driver.isSilent) this.#moveByItself('silence');
  }

  /** While one such move goes on, or where there is no network at all, the next probe timeout is the next occasion. */
  #moveByItself(cause: Cause): void {
    if (!this.#isAutomatic || this.#isMovingByItself || this.#ended !== null || this.#move !== null) return;
    this.#isMovingByItself = true;
    const move = this.#last.then(() => this.#migrate(null, cause, undefined));
    this.#last = move
      .catch((thrown: unknown) => {
        this.#logger.debug({ cause, code: toTransportError(thrown, 'migration').code }, 'no other path was found');
      })
      .finally(() => {
        this.#isMovingByItself = false;
      });
  }

  async #migrate(localAddress: string | null, cause: Cause, signal: AbortSignal | undefined): Promise<void> {
    this.#assertOpen(signal);
    const family = isIP(this.#address);
    if (localAddress !== null && isIP(localAddress) !== family) {
      throw new TransportError('XMPP_BAD_OPTION', `migrate: '${localAddress}' is no IPv${family} address`);
    }
    const previous = this.#driver.carrier;
    const host = localAddress ?? (family === 6 ? '::' : '0.0.0.0');
    const socket = await this.#endpoint.open({
      host,
      port: 0,
      connectTo: { address: this.#address, port: this.#port },
    });
    try {
      this.#assertOpen(signal);
      await this.#moveTo(socket, signal);
    } catch (error) {
      // A path that was left because it is dead is no better than the new one, which may yet come to life.
      if (this.#ended === null && cause !== 'asked') this.#retire(previous.socket);
      else {
        if (this.#ended === null) this.#driver.moveTo(previous);
        this.#retire(socket);
      }
      throw error;
    }
    this.#logger.info({ cause, local: socket.address.address, port: socket.address.port }, 'moved to another path');
    this.#retire(previous.socket);
  }

  #moveTo(socket: UdpSocket, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#forget(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#move = null;
      };
      const fail = (error: TransportError): void => {
        stop();
        reject(error);
      };
      const onAbort = (): void => fail(aborted());
      const { probeTimeoutMs } = this.#driver;
      const timer = this.#after(Math.max(LEAST_ANSWER_MS, ANSWER_PROBES * probeTimeoutMs), () => {
        const { address, port } = socket.address;
        fail(new TransportError('XMPP_UNREACHABLE', `the peer does not answer to ${address} port ${port}`));
      });
      this.#move = {
        heard: () => {
          stop();
          resolve();
        },
        fail,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#driver.moveTo({ socket, remoteAddress: this.#address, remotePort: this.#port });
    });
  }

  /** Closes a socket that is not sent from any more, once nothing is likely to be on its way to it. */
  #retire(socket: UdpSocket): void {
    if (this.#ended !== null) return;
    this.#after(LINGER_PROBES * this.#driver.probeTimeoutMs, () => {
      if (socket !== this.#driver.carrier.socket) this.#endpoint.closeSocket(socket);
    });
  }

  #assertOpen(signal: AbortSignal | undefined): void {
    if (this.#ended !== null) {
      throw new TransportError('XMPP_INVALID_STATE', 'the connection has ended', { cause: this.#ended });
    }
    if (signal?.aborted) throw aborted();
  }

  #after(milliseconds: number, act: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, milliseconds);
    this.#timers.add(timer);
    return timer;
  }

  #forget(timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.#timers.delete(timer);
  }
}

function aborted(): TransportError {
  return new TransportError('XMPP_ABORTED', 'the migration was aborted');
}
