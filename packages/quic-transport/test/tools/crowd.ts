import { ConnectionIds } from '../../src/endpoint/connection-ids.ts';
import type { DriverShared } from '../../src/endpoint/driver-owner.ts';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { EngineGarbage } from '../../src/endpoint/engine-garbage.ts';
import { createPathCounters } from '../../src/endpoint/peer-path.ts';
import { SendBuffer } from '../../src/endpoint/send-buffer.ts';
import { TimerQueue } from '../../src/endpoint/timer-queue.ts';
import { ResetTokens } from '../../src/endpoint/tokens.ts';
import { Turns } from '../../src/endpoint/turns.ts';
import type { UdpSocket } from '../../src/endpoint/udp-socket.ts';
import type { EngineConfig } from '../../src/engine/port.ts';
import { QuicheEngine } from '../../src/engine/quiche.ts';
import { DEFAULT_QUIC_OPTIONS } from '../../src/options.ts';
import { Watchdog } from '../../src/watchdog.ts';
import { CrowdMember } from './crowd-member.ts';

/** Under way at once: what a listener takes from one address without a Retry, and what its socket holds without loss. */
const AT_ONCE = 30;
/** Connections of one socket; so that not all of them have one address. */
const PER_SOCKET = 1_000;
const HOST = '127.0.0.1';

/**
 * Very many clients of one listener, with one stream each, that cost little: they verify nothing and parse nothing, and share
 * sockets. In the rest, connection IDs and PINGs for example, they are as clients of this package are.
 */
export class Crowd implements AsyncDisposable {
  /** In the order in which they came; those who have left are not among them. */
  readonly members: CrowdMember[] = [];
  readonly #port: number;
  readonly #engine = new QuicheEngine();
  readonly #config: EngineConfig;
  readonly #shared: DriverShared;
  readonly #endpoint: Endpoint;
  #socket: Promise<UdpSocket> | null = null;
  #onSocket = 0;

  /** @param port of the listener. */
  constructor(port: number) {
    this.#port = port;
    const { maxDatagramBytes, streamWindowBytes, idleTimeoutMs } = DEFAULT_QUIC_OPTIONS;
    this.#config = this.#engine.createConfig({
      role: 'client',
      alpn: ['xmpp-client'],
      credential: null,
      requestPeerCertificate: true,
      idleTimeoutMs,
      maxDatagramBytes,
      streamWindowBytes,
      maxStreamWindowBytes: streamWindowBytes,
      maxPeerStreams: 0,
      activeConnectionIdLimit: 4,
    });
    const onFault = (thrown: unknown): void => {
      throw thrown;
    };
    const ids = new ConnectionIds<UdpSocket>(new ResetTokens(new Uint8Array(32)));
    this.#endpoint = new Endpoint(ids, { onUnrouted: () => undefined, onSocketError: () => undefined });
    this.#shared = {
      turns: new Turns(onFault),
      timers: new TimerQueue(onFault),
      ids,
      sendBuffer: new SendBuffer(maxDatagramBytes),
      watchdog: Watchdog.acquire(0),
      pathCounters: createPathCounters(),
      garbage: new EngineGarbage(),
    };
  }

  /** So many more have a stream each, on which headers are exchanged. */
  async grow(count: number): Promise<void> {
    await inParallel(count, async () => {
      const socket = await this.#freeSocket();
      const member = new CrowdMember(this.#engine, this.#config, this.#shared, {
        socket,
        remoteAddress: HOST,
        remotePort: this.#port,
      });
      this.members.push(member);
      await member.openStream();
    });
  }

  /** All leave, each in another way than the one before; resolves when the last of them is gone. */
  async disperse(): Promise<void> {
    const members = this.members.splice(0);
    await inParallel(members.length, async (index) => {
      const member = members[index] as CrowdMember;
      if (index % 3 === 0) await member.closeInOrder();
      else if (index % 3 === 1) member.close();
      else await member.beThrownOut();
    });
    await Promise.all(members.map(({ released }) => released));
  }

  /** All close their connections at once, whatever is under way. */
  async leave(): Promise<void> {
    const members = this.members.splice(0);
    for (const member of members) member.close();
    await Promise.all(members.map(({ released }) => released));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
    await this.#endpoint.close();
  }

  #freeSocket(): Promise<UdpSocket> {
    if (this.#socket === null || this.#onSocket === PER_SOCKET) {
      this.#onSocket = 0;
      this.#socket = this.#endpoint.open({ host: HOST, port: 0 });
    }
    this.#onSocket += 1;
    return this.#socket;
  }
}

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, run));
}
