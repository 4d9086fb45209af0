import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { createTestCa } from '@stanzaport/testing';
import type { Answer, Order } from './contender.ts';
import { DOMAIN, type Measurement, STANZA_BYTES, type Work } from './work.ts';

/**
 * Runs the bare engine loop and the full stack one after the other, several rounds in one run, each server and client in
 * a process of its own over UDP loopback, and prints medians and ratios. Usage: main.js [rounds] [--json]
 */

type Contender = Order['contender'];

const CONTENDERS: readonly Contender[] = ['bare', 'full'];
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

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const median = (values: readonly number[]): number => quantile(values, 0.5);

async function main(): Promise<void> {
  const json = process.argv.includes('--json');
  const rounds = Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 5);
  const ca = await createTestCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: [DOMAIN] });
  const credential = { certificate: String(chainPem), key: String(keyPem), rootCertificate: String(ca.rootPem) };
  const rates: Record<Contender, number[]> = { bare: [], full: [] };
  const p50s: Record<Contender, number[]> = { bare: [], full: [] };
  const p99s: Record<Contender, number[]> = { bare: [], full: [] };
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
  const row = (figures: Record<Contender, number[]>) => {
    const ratios = figures.full.map((value, round) => value / (figures.bare[round] ?? Number.NaN));
    return { bare: median(figures.bare), full: median(figures.full), ratio: median(ratios), ratios };
  };
  const result = { oneWay: row(rates), echoP50: row(p50s), echoP99: row(p99s) };
  if (json) {
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    return;
  }
  const lines = [
    '',
    `${STANZA_BYTES}-byte message stanzas, UDP loopback, server and client in two processes, one stream`,
    `Node.js ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), medians of ${rounds} rounds`,
    '',
    '                                     bare engine   full stack   ratio (least to most)',
    line('one way, thousand stanzas a second', result.oneWay, 0),
    line('echo p50, milliseconds', result.echoP50, 3),
    line('echo p99, milliseconds', result.echoP99, 3),
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function line(
  title: string,
  { bare, full, ratio, ratios }: { bare: number; full: number; ratio: number; ratios: number[] },
  digits: number,
): string {
  const spread = `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`;
  return `${title.padEnd(37)}${bare.toFixed(digits).padStart(11)}${full.toFixed(digits).padStart(13)}${ratio.toFixed(2).padStart(8)} ${spread}`;
}

await main();
