import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { TITLES } from '../contenders.ts';
import { measure } from '../processes.ts';
import { type Circumstances, type Question, turnsOf } from '../question.ts';
import { type Report, Series, type WrittenSeries } from '../report.ts';
import { quantile } from '../statistics.ts';
import { STANZA_BYTES } from '../work.ts';

/**
 * TCP loses nothing that a program could take from it, so the line itself has to lose: the question asks itself again in
 * a network of its own (a Linux namespace, which needs no privileges), where the kernel drops every hundredth packet.
 */

const INSIDE = 'STANZAPORT_BENCH_LOSS';
const LOSS = 0.01;
/** Classic BPF: drop where a random number of 32 bits is below {@link LOSS} of all, else go on. */
const RANDOM_WORD = 2 ** 32 - 4_096 + 56;
const THRESHOLD = Math.round(2 ** 32 * LOSS);
const PROGRAM = `4,32 0 0 ${RANDOM_WORD},53 1 0 ${THRESHOLD},6 0 0 2,6 0 0 4294967295`;
/** The loopback of Ethernet's size, and no packets that are many: a loss is the loss of one. */
const LINE = [
  'ip link set lo up mtu 1500 gso_max_segs 1',
  'tc qdisc add dev lo clsact',
  `tc filter add dev lo ingress bpf da bytecode "${PROGRAM}"`,
].join(' && ');

const ROWS = [
  { title: 'QUIC, 1 connection with 10 streams', contender: 'quic', connections: 1, streams: 10, senders: 1 },
  { title: 'Direct TLS, 10 connections', contender: 'direct-tls', connections: 10, streams: 1, senders: 1 },
  { title: 'Direct TLS, 1 connection for all', contender: 'direct-tls', connections: 1, streams: 1, senders: 10 },
  { title: 'QUIC, 1 stream for all', contender: 'quic', connections: 1, streams: 1, senders: 10 },
] as const;

const QUANTILES = [
  ['p50', 0.5],
  ['p99', 0.99],
  ['p99.9', 0.999],
] as const;

async function ask(circumstances: Circumstances): Promise<Report> {
  if (process.env[INSIDE] === undefined) return askInside(circumstances);
  const { quick, rounds } = circumstances;
  const tables = QUANTILES.map(([name, share]) => {
    const series = new Series(`echo ${name}`, 'milliseconds', { digits: 2, baseline: ROWS[1].title });
    return { share, series };
  });
  const intervalMs = 10;
  const [durationMs, warmUpMs] = quick ? [100, 50] : [8_000, 500];
  for (let round = 0; round < rounds; round++) {
    for (const { title, contender, ...shape } of turnsOf(ROWS, round)) {
      const { result } = await measure(
        contender,
        { stanzaBytes: STANZA_BYTES, answerEvery: 1, streams: shape.streams },
        { name: 'paced', ...shape, intervalMs, durationMs, warmUpMs },
      );
      for (const { share, series } of tables) series.add(title, quantile(result, share));
    }
  }
  return {
    question: loss.title,
    conditions: [
      `10 senders, each ${1_000 / intervalMs} stanzas of ${STANZA_BYTES} bytes a second, all echoed; both contenders are ${TITLES.quic.split(',')[0]}`,
      `A loopback that drops ${LOSS * 100} % of all packets at random, in both directions, without any delay of its own`,
    ],
    series: tables.map(({ series }) => series),
  };
}

/** Runs the same command again where packets are lost; its report is this one's. */
async function askInside(circumstances: Circumstances): Promise<Report> {
  const why = unable();
  if (why !== null) {
    return { question: loss.title, conditions: [], series: [], leftOut: [`everything: ${why}`] };
  }
  const command = [process.execPath, ...process.execArgv, process.argv[1] ?? '', loss.name, `${circumstances.rounds}`];
  if (circumstances.quick) command.push('--quick');
  const script = `${LINE} && exec "$@"`;
  const child = spawn('unshare', ['-rn', 'sh', '-c', script, 'sh', ...command, '--json'], {
    env: { ...process.env, [INSIDE]: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the measurement ended with ${code}`);
  const report = JSON.parse(Buffer.concat(chunks).toString()) as Omit<Report, 'series'> & {
    readonly series: readonly WrittenSeries[];
  };
  return { ...report, series: report.series.map((written) => Series.from(written)) };
}

function unable(): string | null {
  try {
    execFileSync('unshare', ['-rn', 'sh', '-c', LINE], { stdio: ['ignore', 'ignore', 'pipe'] });
    return null;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return `no line that loses packets (needs Linux, unshare, iproute2 and cls_bpf): ${text.trim().replaceAll('\n', ' ')}`;
  }
}

export const loss: Question = {
  name: 'loss',
  title: 'How soon is a stanza back on a line that loses 1 %?',
  rounds: 3,
  measure: ask,
};
