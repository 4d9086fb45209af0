import { type ContenderName, TITLES } from '../contenders.ts';
import { measure } from '../processes.ts';
import { type Circumstances, chosen, type Question, turnsOf } from '../question.ts';
import { type Report, Series } from '../report.ts';
import { median, quantile } from '../statistics.ts';
import { STANZA_BYTES } from '../work.ts';

const CONTENDERS: readonly ContenderName[] = ['bare', 'quic', 'direct-tls', 'tls', 'tls-no-delay'];
const BURST_BYTES = 1_000_000;
const STANZAS = Math.round(BURST_BYTES / STANZA_BYTES);

const SETTINGS = [
  {
    title: '1 MB of stanzas at once, 1 connection',
    connections: 1,
    stanzas: STANZAS,
    stanzaBytes: STANZA_BYTES,
    repeats: 40,
  },
  {
    title: '1 MB of stanzas at once on each of 100 connections',
    connections: 100,
    stanzas: STANZAS,
    stanzaBytes: STANZA_BYTES,
    repeats: 3,
  },
  { title: 'one stanza of 250,000 bytes', connections: 1, stanzas: 1, stanzaBytes: 250_000, repeats: 100 },
];

async function ask(circumstances: Circumstances): Promise<Report> {
  const { quick, rounds } = circumstances;
  const { contenders, leftOut } = chosen(CONTENDERS, circumstances);
  const tables = SETTINGS.map((setting) => {
    const options = { digits: 1, baseline: TITLES.bare };
    const [p50, worst] = ['the middle one', 'the slowest'].map(
      (which) => new Series(`${setting.title}, ${which}`, 'ms', options),
    ) as [Series, Series];
    return { setting, p50, worst };
  });
  for (let round = 0; round < rounds; round++) {
    for (const { setting, p50, worst } of tables) {
      for (const contender of turnsOf(contenders, round)) {
        const { stanzaBytes } = setting;
        const connections = quick ? Math.min(setting.connections, 4) : setting.connections;
        const stanzas = quick ? Math.min(setting.stanzas, 100) : setting.stanzas;
        const repeats = quick ? 2 : setting.repeats;
        const { result } = await measure(
          contender,
          { stanzaBytes, answerEvery: stanzas, streams: 1 },
          { name: 'exchange', connections, stanzas, repeats, warmUp: Math.ceil(repeats / 4) },
        );
        p50.add(TITLES[contender], median(result));
        worst.add(TITLES[contender], quantile(result, 1));
      }
    }
  }
  return {
    question: burst.title,
    conditions: [
      'From the first stanza sent to the answer for the last (of the last connection), loopback, one burst after another',
    ],
    series: tables.flatMap(({ p50, worst }) => [p50, worst]),
    leftOut,
  };
}

export const burst: Question = { name: 'burst', title: 'How long does a burst take?', rounds: 5, measure: ask };
