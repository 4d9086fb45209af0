import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, isMigratable, type StanzaStream, type TransportError } from '@stanzaport/core';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasReusePort, type PortSharing } from '../src/endpoint/port-sharing.ts';
import { createWorkerConnectionIds } from '../src/endpoint/worker-connection-ids.ts';
import { WorkerFolder } from '../src/endpoint/worker-folder.ts';
import type { QuicOptions, QuicTransport } from '../src/index.ts';
import { AttackVictim, type VictimReport, victimCredentials } from './tools/attack-victim.ts';
import { collect, createQuicTransport, DOMAIN, headerOf, targetOf } from './tools/quic-pair.ts';

const HOST = '127.0.0.1';
/** Both ways, where this Node.js has both. */
const SHARINGS: readonly PortSharing[] = hasReusePort() ? ['reuse-port', 'cluster'] : ['cluster'];
/** Whatever depends on where the kernel sends a client succeeds in every second attempt. */
const ATTEMPTS = 60;

const credentials = victimCredentials();
const cleanUps: (() => unknown)[] = [];
let folder: string;
let port: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'workers-'));
  const probe = dgram.createSocket('udp4');
  probe.bind(0, HOST);
  await once(probe, 'listening');
  port = probe.address().port;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  cleanUps.push(() => rm(folder, { recursive: true }));
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

/** Runs until it is closed, killed, or the test is over. */
class Process {
  readonly #victim: AttackVictim;
  #isGone = false;

  private constructor(victim: AttackVictim) {
    this.#victim = victim;
  }

  static async start(number: number, sharing: PortSharing, options: Partial<QuicOptions> = {}): Promise<Process> {
    const victim = await AttackVictim.start({
      options: { ...withoutCode(options), workers: { number, folder, sharing } },
      port,
      credentials: await credentials,
      inCluster: sharing === 'cluster',
    });
    const started = new Process(victim);
    cleanUps.push(() => started.close());
    return started;
  }

  report(): Promise<VictimReport> {
    return this.#victim.report();
  }

  async close(): Promise<void> {
    if (this.#isGone) return;
    this.#isGone = true;
    await this.#victim.close();
  }

  async kill(): Promise<void> {
    this.#isGone = true;
    await this.#victim.kill();
  }
}

/** A generator is code, and cannot be sent to another process. */
function withoutCode({ connectionIds: _, sessionTickets: __, ...options }: Partial<QuicOptions>): object {
  return options;
}

/** A connection with one stream, whose peer sends everything back. */
interface Client {
  readonly connection: Connection;
  readonly stream: StanzaStream;
  readonly echoed: string[];
}

async function connectClient(transport: QuicTransport): Promise<Client> {
  const connection = await transport.connect(targetOf({ family: 'IPv4', address: HOST, port }));
  cleanUps.push(async () => {
    connection.abort();
    await connection.close();
  });
  const stream = await connection.openStream();
  stream.sendHeader({ to: DOMAIN });
  await headerOf(stream);
  return { connection, stream, echoed: collect(stream).stanzas };
}

/** Sends one stanza, numbered by how many there were, and waits until it is back. */
async function exchange({ stream, echoed }: Client): Promise<void> {
  const number = echoed.length;
  stream.send(`<message id='${number}'/>`);
  await expect.poll(() => echoed.length, { interval: 1, timeout: 10_000 }).toBe(number + 1);
}

function expectAllInOrder({ echoed }: Client): void {
  expect(echoed).toEqual(echoed.map((_, index) => `<message id='${index}'/>`));
}

/** Connects clients until each of the two has one. @returns one of the first, one of the second, and the others. */
async function connectToBoth(
  transport: QuicTransport,
  [first, second]: readonly [Process, Process],
): Promise<{ readonly ofFirst: Client; readonly ofSecond: Client; readonly all: readonly Client[] }> {
  const all: Client[] = [];
  let [ofFirst, ofSecond]: (Client | undefined)[] = [];
  let known = (await first.report()).connections;
  while (all.length < ATTEMPTS) {
    const client = await connectClient(transport);
    all.push(client);
    const now = (await first.report()).connections;
    if (now > known) ofFirst ??= client;
    else ofSecond ??= client;
    known = now;
    if (ofFirst !== undefined && ofSecond !== undefined) return { ofFirst, ofSecond, all };
  }
  throw new Error(`all clients are at one worker: ${JSON.stringify([await first.report(), await second.report()])}`);
}

/** Changes the client's port until its datagrams come to `wrong`. */
async function migrateTo(client: Client, wrong: Process): Promise<void> {
  const { connection } = client;
  if (!isMigratable(connection)) throw new Error('a QUIC connection migrates');
  const before = (await wrong.report()).counters.handedOn;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await connection.migrate({ localAddress: HOST });
    await exchange(client);
    if ((await wrong.report()).counters.handedOn > before) return;
  }
  throw new Error('the kernel never led it there');
}

for (const sharing of SHARINGS) {
  describe(`two processes on one port: ${sharing}`, () => {
    test('[QT-20] both serve, and a connection that migrates keeps its process and every stanza', async () => {
      const workers = [await Process.start(0, sharing), await Process.start(1, sharing)] as const;
      const transport = await createQuicTransport({ domains: [] });
      const { ofFirst, ofSecond, all } = await connectToBoth(transport, workers);
      let isMigrating = true;
      // The others are served all the while.
      const others = all.filter((client) => client !== ofFirst && client !== ofSecond);
      const busy = Promise.all(
        others.map(async (client) => {
          do await exchange(client);
          while (isMigrating);
        }),
      );
      for (let round = 0; round < 3; round++) {
        await migrateTo(ofFirst, workers[1]);
        await migrateTo(ofSecond, workers[0]);
      }
      isMigrating = false;
      await busy;
      for (const client of all) {
        await exchange(client);
        expectAllInOrder(client);
      }
      const reports = await Promise.all(workers.map((worker) => worker.report()));
      const [one, two] = reports.map(({ counters }) => counters);
      expect(one?.handedOn).toBeGreaterThanOrEqual(3);
      expect(two?.handedOn).toBeGreaterThanOrEqual(3);
      for (const counters of [one, two]) {
        expect(counters).toMatchObject({ unknownConnection: 0, statelessResets: 0, handOverDrops: 0, violations: 0 });
      }
      expect(reports.map(({ connections }) => connections).reduce((sum, count) => sum + count)).toBe(all.length);
    });

    test('[QT-07] a process dies: its clients learn so at once, those of the other stay, and a successor serves', async () => {
      const [first, second] = [await Process.start(0, sharing), await Process.start(1, sharing)];
      const transport = await createQuicTransport({ domains: [] });
      const { ofFirst, ofSecond } = await connectToBoth(transport, [first, second]);
      await first.kill();
      ofFirst.stream.send('<message/>');
      expect(await ofFirst.stream.closed).toMatchObject({ error: { category: 'peer-reset' } });
      expect((await second.report()).counters.statelessResets).toBeGreaterThan(0);
      await exchange(ofSecond);
      const successor = await Process.start(0, sharing);
      const { ofFirst: next } = await connectToBoth(transport, [successor, second]);
      await migrateTo(ofSecond, successor);
      await migrateTo(next, second);
      expectAllInOrder(ofSecond);
      expectAllInOrder(next);
    });

    test('[QT-02] Retry tokens and tickets of one are good at the other', async () => {
      const options = { retry: 'always' } as const;
      const workers = [await Process.start(0, sharing, options), await Process.start(1, sharing, options)] as const;
      const transport = await createQuicTransport({ domains: [] });
      const { all } = await connectToBoth(transport, workers);
      // Of the two that were at different ones the later has come with a ticket of the other.
      expect(all.slice(1).map(({ connection }) => connection.security.resumed)).toEqual(all.slice(1).map(() => true));
      for (const worker of workers) expect((await worker.report()).counters.refused).toBe(0);
    });

    test('[QT-20] a process that closes gives new clients to the other', async () => {
      const [first, second] = [await Process.start(0, sharing), await Process.start(1, sharing)];
      const transport = await createQuicTransport({ domains: [] });
      await connectToBoth(transport, [first, second]);
      const closing = first.close();
      let refused = 0;
      for (let served = 0; served < 10; ) {
        const client = await connectClient(transport).catch((error: TransportError) => {
          expect(error.code).toBe('XMPP_REFUSED');
          refused += 1;
          return null;
        });
        if (client === null) continue;
        await exchange(client);
        served += 1;
      }
      await closing;
      // The one whose handshake was under way at that moment.
      expect(refused).toBeLessThanOrEqual(1);
      expect((await second.report()).connections).toBeGreaterThanOrEqual(10);
    });

    test('[QT-07] what is handed on is not handed back, and only IDs of workers are answered', async () => {
      const [first, second] = [await Process.start(0, sharing), await Process.start(1, sharing)];
      const workerFolder = new WorkerFolder(folder);
      const key = workerFolder.deriveKey('connection IDs').subarray(0, 16);
      const socket = dgram.createSocket('udp4');
      cleanUps.push(() => socket.close());
      const answers: dgram.RemoteInfo[] = [];
      socket.on('message', (_, remote) => answers.push(remote));
      const send = (id: Uint8Array): void =>
        socket.send(Buffer.concat([Buffer.of(0x40), id, randomBytes(80)]), port, HOST);
      const total = async (): Promise<{ unknown: number; resets: number; on: number; in: number }> => {
        const counters = [await first.report(), await second.report()].map((report) => report.counters);
        const sum = (of: (one: (typeof counters)[number]) => number): number =>
          counters.reduce((so, one) => so + of(one), 0);
        return {
          unknown: sum((one) => one.unknownConnection),
          resets: sum((one) => one.statelessResets),
          on: sum((one) => one.handedOn),
          in: sum((one) => one.handedIn),
        };
      };
      // Of a worker that runs and knows nothing of it; one of the two is the wrong door.
      send(createWorkerConnectionIds(0, key).create());
      send(createWorkerConnectionIds(1, key).create());
      await expect.poll(async () => (await total()).resets).toBe(2);
      const known = await total();
      expect(known).toMatchObject({ unknown: 2, in: known.on });
      expect(known.on).toBeLessThanOrEqual(2);
      // Of a worker that is not there.
      send(createWorkerConnectionIds(7, key).create());
      await expect.poll(total).toEqual({ ...known, unknown: 3, resets: 3 });
      // Of none.
      send(randomBytes(17));
      send(createWorkerConnectionIds(0, randomBytes(16)).create());
      await expect.poll(total).toEqual({ ...known, unknown: 5, resets: 3 });
      await expect.poll(() => answers.length).toBe(3);
      for (const answer of answers) expect(answer).toMatchObject({ address: HOST, port });
    });

    test('[QT-20] a number can be had once at a time', async () => {
      const first = await Process.start(3, sharing);
      await expect(Process.start(3, sharing)).rejects.toThrow('worker 3 is running already');
      await first.close();
      await Process.start(3, sharing);
    });
  });
}

describe('options', () => {
  const workersOf = (more: object) => ({ options: { workers: { number: 0, folder, ...more } } });

  test('[QT-20] what cannot be is refused before anything is bound', async () => {
    for (const more of [{ number: -1 }, { number: 256 }, { number: 1.5 }, { folder: '' }, { sharing: 'luck' }]) {
      await expect(createQuicTransport(workersOf(more))).rejects.toMatchObject({ code: 'XMPP_BAD_OPTION' });
    }
    const impossible: PortSharing = hasReusePort() ? 'cluster' : 'reuse-port';
    await expect(createQuicTransport(workersOf({ sharing: impossible }))).rejects.toMatchObject({
      code: 'XMPP_BAD_OPTION',
    });
  });

  test('[QT-20] a folder that others can enter is refused', async () => {
    await chmod(folder, 0o750);
    await expect(createQuicTransport(workersOf({}))).rejects.toThrow('0700');
  });
});

afterAll(() => expect(cleanUps).toEqual([]));
