import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { createTestCa } from '@stanzaport/testing';
import type { Answer, Order } from './contender.ts';
import { median, quantile } from './statistics.ts';
import { DOMAIN, type Measurement, STANZA_BYTES, type Work } from './work.ts';

type Contender = Order['contender'];

const CONTENDERS: readonly Contender[] = ['bare', 'naive', 'full'];
const ONE_WAY: Work = { task: 'one-way', stanzas: 400_000 };
const ECHO: Work = { task: 'echo', stanzas: 10_000 };
/** Round trips left out at the start, while the compilers warm up. */
const ECHO_WARM_UP = 2_000;

async function measure(
  contender: Contender,
  work: Work,
  credential: Pick<Order, 'certificate' | 'key' | 'rootCertificate'>,
): Promise<Measurement> {
  const start = (role: Order['role'], port: number) => {
    const child = fork(new URL('./contender.js', import.meta.url));
    child.send({ contender, role, work, port, ...credential } satisfies Order);
    return child;
  };
  const answerOf = async (child: ReturnType<typeof fork>): Promise<Answer> => {
    const failed = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${contender} exited with ${code}`)));
    const [answer] = (await Promise.race([once(child, 'message'), failed])) as [Answer];
    return answer;
  };
  const server = start('server', 0);
  try {
    const listening = await answerOf(server);
    const client = start('client', 'port' in listening ? listening.port : 0);
    try {
      const answer = await answerOf(client);
      if ('measurement' in answer) return answer.measurement;
      throw new Error('the client measured nothing');
    } finally {
      client.kill('SIGKILL');
    }
  } finally {
    server.kill('SIGKILL');
  }
}

/**
 * Runs the bare engine loop, a naive stack and the full stack one after the other, several rounds in one run, each server and
 * client in a process of its own over UDP loopback, and prints medians and ratios to the bare engine.
 */
export async function measureSpeed(rounds: number, json: boolean): Promise<void> {
  const ca = await createTestCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: [DOMAIN] });
  const credential = { certificate: String(chainPem), key: String(keyPem), rootCertificate: String(ca.rootPem) };
  const rates: Record<Contender, number[]> = { bare: [], naive: [], full: [] };
  const p50s: Record<Contender, number[]> = { bare: [], naive: [], full: [] };
  const p99s: Record<Contender, number[]> = { bare: [], naive: [], full: [] };
  for (let round = 0; round < rounds; round++) {
    for (const contender of CONTENDERS) {
      const oneWay = await measure(contender, ONE_WAY, credential);
      rates[contender].push(ONE_WAY.stanzas / oneWay.seconds / 1_000);
      const echo = await measure(contender, ECHO, credential);
      const warm = echo.roundTripsMs.slice(ECHO_WARM_UP);
      p50s[contender].push(quantile(warm, 0.5));
      p99s[contender].push(quantile(warm, 0.99));
      if (!json) process.stdout.write('.');
    }
  }
  const result = { oneWay: rowOf(rates), echoP50: rowOf(p50s), echoP99: rowOf(p99s) };
  if (json) {
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    return;
  }
  const lines = [
    '',
    `${STANZA_BYTES}-byte message stanzas, UDP loopback, server and client in two processes, one stream`,
    `Node.js ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), medians of ${rounds} rounds`,
    '',
    '                                     bare engine   naive stack             full stack',
    line('one way, thousand stanzas a second', result.oneWay, 0),
    line('echo p50, milliseconds', result.echoP50, 3),
    line('echo p99, milliseconds', result.echoP99, 3),
    '',
    'In brackets: the ratio to the bare engine, the median of all rounds.',
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

type Row = Record<Contender, { readonly median: number; readonly ratio: number; readonly ratios: readonly number[] }>;

/** Ratios are taken round by round, so that a machine that changes its speed between rounds does not matter. */
function rowOf(figures: Record<Contender, readonly number[]>): Row {
  const of = (contender: Contender): Row[Contender] => {
    const ratios = figures[contender].map((value, round) => value / (figures.bare[round] ?? Number.NaN));
    return { median: median(figures[contender]), ratio: median(ratios), ratios };
  };
  return { bare: of('bare'), naive: of('naive'), full: of('full') };
}

function line(title: string, row: Row, digits: number): string {
  const cell = ({ median, ratio }: Row[Contender]): string => `${median.toFixed(digits)} (${ratio.toFixed(2)})`;
  return `${title.padEnd(37)}${row.bare.median.toFixed(digits).padStart(11)}${cell(row.naive).padStart(14)}${cell(row.full).padStart(23)}`;
}
