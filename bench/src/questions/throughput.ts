import { type ContenderName, TITLES } from '../contenders.ts';
import { measure } from '../processes.ts';
import { type Circumstances, chosen, type Question, turnsOf } from '../question.ts';
import { type Report, Series } from '../report.ts';
import { sum } from '../statistics.ts';
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
const CONNECTIONS = [1, 100];
const QUICK_CONNECTIONS = [1, 4];
const REPEATS = 3;
/** In one repeat, of all connections together. */
const STANZAS = 100_000;
/** Of a peer that would take a minute for as many. */
const STANZAS_OF_THE_SLOW = 10_000;
const QUICK_STANZAS = 1_000;

function stanzasOf(contender: ContenderName, { quick }: Circumstances): number {
  if (quick) return QUICK_STANZAS;
  return contender === 'matrixai' ? STANZAS_OF_THE_SLOW : STANZAS;
}

async function ask(circumstances: Circumstances): Promise<Report> {
  const { contenders, leftOut } = chosen(CONTENDERS, circumstances);
  const baseline = TITLES.bare;
  const options = { digits: 1, baseline };
  const series: Series[] = [];
  const columns = (circumstances.quick ? QUICK_CONNECTIONS : CONNECTIONS).map((connections) => {
    const over = `over ${connections} connection${connections === 1 ? '' : 's'}`;
    const rates = new Series(`one way ${over}`, 'thousand stanzas a second', options);
    const costs = new Series(`the server's CPU time ${over}`, 'us a stanza', { digits: 2, baseline });
    series.push(rates, costs);
    return { connections, rates, costs };
  });
  for (let round = 0; round < circumstances.rounds; round++) {
    for (const { connections, rates, costs } of columns) {
      for (const contender of turnsOf(contenders, round)) {
        const total = stanzasOf(contender, circumstances);
        const stanzas = total / connections;
        const { result, serverCpuMs } = await measure(
          contender,
          { stanzaBytes: STANZA_BYTES, answerEvery: stanzas, streams: 1 },
          { name: 'exchange', connections, stanzas, repeats: REPEATS, warmUp: 1 },
        );
        rates.add(TITLES[contender], (total * REPEATS) / sum(result));
        // The first repeat and the handshakes are in it: they are the same for all.
        costs.add(TITLES[contender], (serverCpuMs * 1_000) / (total * (REPEATS + 1)));
      }
    }
  }
  return {
    question: throughput.title,
    conditions: [
      `${STANZA_BYTES}-byte message stanzas, loopback, server and client in two processes, one stream a connection`,
    ],
    series,
    leftOut,
  };
}

export const throughput: Question = {
  name: 'throughput',
  title: 'How many stanzas go one way in a second?',
  rounds: 5,
  measure: ask,
};
