import { setTimeout as wait } from 'node:timers/promises';
import { type ContenderName, TITLES } from '../contenders.ts';
import { ClientProcess, ServerProcess, type Usage } from '../processes.ts';
import { type Circumstances, chosen, type Question, turnsOf } from '../question.ts';
import { type Report, Series } from '../report.ts';
import { STANZA_BYTES } from '../work.ts';

const CONTENDERS: readonly ContenderName[] = ['bare', 'quic', 'direct-tls', 'matrixai', 'http3', 'tls'];
/** Open at the moment of each measurement; those of the one before stay. */
const CONNECTIONS = [1_000, 5_000, 10_000];
const QUICK_CONNECTIONS = [10, 20];
/** For a peer whose handshakes would take minutes for more. */
const MOST_OF_THE_SLOW = 1_000;
const IDLE_MS = 20_000;
const QUICK_IDLE_MS = 100;
/** Thousands of answers at once come late, and are asked for again: what that leaves on its way is over by then. */
const SETTLING_MS = 20_000;
const KIB = 1_024;

interface Measured {
  readonly connections: number;
  readonly rssKib: number;
  readonly heapKib: number;
  readonly idlePercent: number;
}

async function measureOne(
  contender: ContenderName,
  steps: readonly number[],
  { idleMs, settlingMs }: { readonly idleMs: number; readonly settlingMs: number },
): Promise<readonly Measured[]> {
  await using server = await ServerProcess.start(contender, { stanzaBytes: STANZA_BYTES, answerEvery: 1, streams: 1 });
  await using client = await ClientProcess.start(server);
  // What the first connection loads and compiles is not any connection's.
  await client.perform({ name: 'hold', connections: 1 });
  const empty = await server.usage({ collect: true });
  const measured: Measured[] = [];
  let open = 0;
  for (const connections of steps) {
    await client.perform({ name: 'hold', connections: connections - open });
    open = connections;
    await wait(settlingMs);
    const full = await server.usage({ collect: true });
    const idlePercent = await idleCpu(server, idleMs);
    measured.push({ connections, ...eachOf(connections, empty, full), idlePercent });
  }
  return measured;
}

function eachOf(connections: number, empty: Usage, full: Usage): { readonly rssKib: number; readonly heapKib: number } {
  const each = (bytes: number): number => bytes / connections / KIB;
  return {
    rssKib: each(full.rssBytes - empty.rssBytes),
    heapKib: each(full.heapUsedBytes + full.externalBytes - empty.heapUsedBytes - empty.externalBytes),
  };
}

/** CPU time of the server while nobody does anything, in percent of one core. */
async function idleCpu(server: ServerProcess, idleMs: number): Promise<number> {
  const before = await server.usage();
  const beganMs = performance.now();
  await wait(idleMs);
  const after = await server.usage();
  return (100 * (after.cpuMs - before.cpuMs)) / (performance.now() - beganMs);
}

async function ask(circumstances: Circumstances): Promise<Report> {
  const { quick, rounds } = circumstances;
  const { contenders, leftOut } = chosen(CONTENDERS, circumstances);
  const steps = quick ? QUICK_CONNECTIONS : CONNECTIONS;
  const pauses = quick ? { idleMs: QUICK_IDLE_MS, settlingMs: 0 } : { idleMs: IDLE_MS, settlingMs: SETTLING_MS };
  const baseline = TITLES.bare;
  const tables = new Map(
    steps.map((connections) => {
      const over = `at ${connections.toLocaleString('en')} connections`;
      const rss = new Series(`resident memory of the server ${over}`, 'KiB a connection', { digits: 1, baseline });
      const heap = new Series(`of that known to V8 ${over}`, 'KiB a connection', { digits: 1, baseline });
      const cpu = new Series(`CPU time of the idle server ${over}`, '% of a core', { digits: 3, baseline });
      return [connections, { rss, heap, cpu }];
    }),
  );
  for (let round = 0; round < rounds; round++) {
    for (const contender of turnsOf(contenders, round)) {
      const own = contender === 'matrixai' ? steps.filter((count) => count <= MOST_OF_THE_SLOW) : steps;
      for (const { connections, rssKib, heapKib, idlePercent } of await measureOne(contender, own, pauses)) {
        tables.get(connections)?.rss.add(TITLES[contender], rssKib);
        tables.get(connections)?.heap.add(TITLES[contender], heapKib);
        tables.get(connections)?.cpu.add(TITLES[contender], idlePercent);
      }
    }
  }
  return {
    question: memory.title,
    conditions: [
      'One stream a connection, opened and then left alone; loopback, server and client in two processes',
      `Resident memory after a garbage collection, less that with one connection; idle for ${pauses.idleMs / 1_000} s`,
    ],
    series: [...tables.values()].flatMap(({ rss, heap, cpu }) => [rss, heap, cpu]),
    leftOut,
  };
}

export const memory: Question = {
  name: 'memory',
  title: 'What does an idle connection take?',
  rounds: 3,
  measure: ask,
};
