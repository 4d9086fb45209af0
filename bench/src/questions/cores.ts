import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerWorker } from '../contender.ts';
import { ClientProcess, ServerProcess } from '../processes.ts';
import { type Circumstances, type Question, turnsOf } from '../question.ts';
import { type Report, Series } from '../report.ts';
import { sum } from '../statistics.ts';
import type { Result, Task } from '../task.ts';
import { STANZA_BYTES } from '../work.ts';

/** How many server processes there are, and how they have one port. */
interface Arrangement {
  readonly title: string;
  readonly sharing: ServerWorker['sharing'] | null;
}

const ALONE: Arrangement = { title: 'one process', sharing: null };
const REUSE_PORT: Arrangement = { title: 'two processes, SO_REUSEPORT', sharing: 'reuse-port' };
const CLUSTER: Arrangement = { title: 'two processes, one socket of node:cluster', sharing: 'cluster' };
/** The first release line that has `reusePort` from its beginning. */
const REUSE_PORT_SINCE = 24;

const CLIENTS = 2;
const CONNECTIONS = 8;
const STANZAS = 100_000;
const REPEATS = 3;
const HANDSHAKES = 600;
const CONCURRENCY = 8;
/** For routing, storing and answering: a server that does nothing with a stanza needs no more cores. */
const WORK_US = 20;
const WORKED_STANZAS = 25_000;

async function freePort(): Promise<number> {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** All clients perform the task at the same time. */
async function measureOne(
  { sharing }: Arrangement,
  setup: { readonly answerEvery: number; readonly workUs?: number },
  task: Task,
  warmUp: Task | null = null,
): Promise<{ readonly results: readonly Result[]; readonly seconds: number; readonly serverCpuMs: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'cores-'));
  const port = await freePort();
  const servers: ServerProcess[] = [];
  const clients: ClientProcess[] = [];
  try {
    for (let number = 0; number < (sharing === null ? 1 : 2); number++) {
      const worker = sharing === null ? {} : { worker: { number, folder, sharing, port } };
      servers.push(await ServerProcess.start('quic', { stanzaBytes: STANZA_BYTES, streams: 1, ...setup, ...worker }));
    }
    for (let count = 0; count < CLIENTS; count++) {
      clients.push(await ClientProcess.start(servers[0] as ServerProcess));
    }
    const cpuMs = async (): Promise<number> =>
      sum((await Promise.all(servers.map((server) => server.usage()))).map((usage) => usage.cpuMs));
    if (warmUp !== null) await Promise.all(clients.map((client) => client.perform(warmUp)));
    const before = await cpuMs();
    const startedAtMs = performance.now();
    const results = await Promise.all(clients.map((client) => client.perform(task)));
    const seconds = (performance.now() - startedAtMs) / 1_000;
    return { results, seconds, serverCpuMs: (await cpuMs()) - before };
  } finally {
    for (const process of [...clients, ...servers]) await process[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  }
}

async function ask({ rounds, quick }: Circumstances): Promise<Report> {
  const hasReusePort = process.platform === 'linux' && Number.parseInt(process.versions.node, 10) >= REUSE_PORT_SINCE;
  const arrangements = hasReusePort ? [ALONE, REUSE_PORT, CLUSTER] : [ALONE, CLUSTER];
  const baseline = ALONE.title;
  const series: Series[] = [];
  const add = (title: string, unit: string, digits: number): Series => {
    const one = new Series(title, unit, { digits, baseline });
    series.push(one);
    return one;
  };
  const loads = [
    { load: 'one way', workUs: 0, total: quick ? 1_000 : STANZAS },
    { load: `one way, ${WORK_US} us of work for each stanza`, workUs: WORK_US, total: quick ? 1_000 : WORKED_STANZAS },
  ].map(({ load, workUs, total }) => ({
    workUs,
    total,
    rates: add(load, 'thousand stanzas a second', 1),
    costs: add(`${load}: all servers' CPU time`, 's a million stanzas', 2),
  }));
  const handshakes = add('full handshakes', 'a second', 0);
  const handshakeCosts = add("full handshakes: all servers' CPU time", 'ms a handshake', 3);
  const count = quick ? 16 : HANDSHAKES;
  for (let round = 0; round < rounds; round++) {
    for (const arrangement of turnsOf(arrangements, round)) {
      const { title } = arrangement;
      for (const { workUs, total, rates, costs } of loads) {
        const stanzas = total / CONNECTIONS;
        const exchange = { name: 'exchange', connections: CONNECTIONS, stanzas, repeats: REPEATS, warmUp: 1 } as const;
        const { results, serverCpuMs } = await measureOne(arrangement, { answerEvery: stanzas, workUs }, exchange);
        // The rates of the clients together: they begin at the same moment, and do the same.
        rates.add(title, sum(results.map((result) => (total * REPEATS) / sum(result))));
        costs.add(title, (serverCpuMs * 1_000) / (total * (REPEATS + 1) * CLIENTS));
      }
      const shake = { name: 'handshakes', count, concurrency: CONCURRENCY, resumed: false } as const;
      const { seconds, serverCpuMs } = await measureOne(arrangement, { answerEvery: 1 }, shake, shake);
      handshakes.add(title, (count * CLIENTS) / seconds);
      handshakeCosts.add(title, serverCpuMs / (count * CLIENTS));
    }
  }
  return {
    question: cores.title,
    conditions: [
      `${STANZA_BYTES}-byte message stanzas, loopback, ${CLIENTS} client processes with ${CONNECTIONS} connections each`,
      'Clients and servers share the cores: with fewer than four, more servers leave the clients less.',
    ],
    series,
    leftOut: hasReusePort ? [] : [`${REUSE_PORT.title}: needs Node.js ${REUSE_PORT_SINCE} here`],
  };
}

export const cores: Question = {
  name: 'cores',
  title: 'What do two server processes on one port bring?',
  rounds: 3,
  measure: ask,
};
