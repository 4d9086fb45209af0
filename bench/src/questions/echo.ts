import { type ContenderName, TITLES } from '../contenders.ts';
import { measure } from '../processes.ts';
import { type Circumstances, chosen, type Question, turnsOf } from '../question.ts';
import { type Report, Series } from '../report.ts';
import { quantile } from '../statistics.ts';
import type { Task } from '../task.ts';
import { STANZA_BYTES } from '../work.ts';

const CONTENDERS: readonly ContenderName[] = [
  'bare',
  'quic',
  'direct-tls',
  'naive',
  'matrixai',
  'http3',
  'tls',
  'tls-no-delay',
];
/** Is there for what its shape costs, which one connection tells. */
const ALONE_ONLY: ContenderName = 'naive';

/** The next stanza when the last is back. */
function alone(quick: boolean): Task {
  const [repeats, warmUp] = quick ? [100, 20] : [8_000, 2_000];
  return { name: 'exchange', connections: 1, stanzas: 1, repeats, warmUp };
}

/** Each sends one a second, whatever is back. */
function many(quick: boolean): Task {
  const paced = { name: 'paced', streams: 1, senders: 1 } as const;
  if (quick) return { ...paced, connections: 10, intervalMs: 20, durationMs: 100, warmUpMs: 20 };
  return { ...paced, connections: 1_000, intervalMs: 1_000, durationMs: 4_000, warmUpMs: 1_000 };
}

const QUANTILES = [
  ['p50', 0.5],
  ['p99', 0.99],
] as const;

async function ask(circumstances: Circumstances): Promise<Report> {
  const { quick, rounds } = circumstances;
  const { contenders, leftOut } = chosen(CONTENDERS, circumstances);
  const settings = [
    { task: alone(quick), over: '1 connection', contenders },
    {
      task: many(quick),
      over: '1,000 active connections',
      contenders: contenders.filter((name) => name !== ALONE_ONLY),
    },
  ].map(({ task, over, contenders }) => {
    const quantiles = QUANTILES.map(([name, share]) => {
      const series = new Series(`echo ${name}, ${over}`, 'milliseconds', { digits: 3, baseline: TITLES.bare });
      return { share, series };
    });
    return { task, contenders, quantiles };
  });
  for (let round = 0; round < rounds; round++) {
    for (const { task, contenders, quantiles } of settings) {
      for (const contender of turnsOf(contenders, round)) {
        const { result } = await measure(contender, { stanzaBytes: STANZA_BYTES, answerEvery: 1, streams: 1 }, task);
        for (const { share, series } of quantiles) series.add(TITLES[contender], quantile(result, share));
      }
    }
  }
  return {
    question: echo.title,
    conditions: [
      `${STANZA_BYTES}-byte message stanzas, loopback, server and client in two processes, one stream a connection`,
      '1 connection: the next stanza when the last is back; 1,000 connections: each sends one a second',
    ],
    series: settings.flatMap(({ quantiles }) => quantiles.map(({ series }) => series)),
    leftOut,
  };
}

export const echo: Question = { name: 'echo', title: 'How soon is a stanza back?', rounds: 5, measure: ask };
