import { type ContenderName, TITLES } from '../contenders.ts';
import { ClientProcess, ServerProcess } from '../processes.ts';
import { type Circumstances, chosen, type Question, turnsOf } from '../question.ts';
import { type Report, Series } from '../report.ts';
import { sum } from '../statistics.ts';
import { STANZA_BYTES } from '../work.ts';

const FULL: readonly ContenderName[] = ['bare', 'quic', 'direct-tls', 'matrixai', 'http3', 'tls'];
/** Those that resume at all, and tell. */
const RESUMED: readonly ContenderName[] = ['bare', 'quic', 'tls'];
/** Below the number from which servers ask for a Retry, or refuse one address more. */
const CONCURRENCY = 16;

async function measureOne(contender: ContenderName, resumed: boolean, quick: boolean): Promise<[number, number]> {
  await using server = await ServerProcess.start(contender, {
    stanzaBytes: STANZA_BYTES,
    answerEvery: 1,
    streams: 1,
  });
  await using client = await ClientProcess.start(server, { resume: resumed });
  const [count, warmUp] = quick ? [10, 2] : [2_000, 3_000];
  // The first connection is never a resumed one: it leaves the ticket.
  if (resumed) await client.perform({ name: 'handshakes', count: 1, concurrency: 1, resumed: false });
  await client.perform({ name: 'handshakes', count: warmUp, concurrency: CONCURRENCY, resumed });
  const before = await server.usage();
  const elapsedMs = sum(await client.perform({ name: 'handshakes', count, concurrency: CONCURRENCY, resumed }));
  const after = await server.usage();
  return [(count * 1_000) / (after.cpuMs - before.cpuMs), (count * 1_000) / elapsedMs];
}

async function ask(circumstances: Circumstances): Promise<Report> {
  const { contenders, leftOut } = chosen(FULL, circumstances);
  const series: Series[] = [];
  const settings = ([false, true] as const).map((resumed) => {
    const kind = resumed ? 'resumed' : 'full';
    const options = { digits: 0, baseline: TITLES.bare };
    const capacity = new Series(`${kind} handshakes in a second of the server's CPU time`, 'handshakes', options);
    const seen = new Series(`${kind} handshakes a second with one client process`, 'handshakes', options);
    series.push(capacity, seen);
    return { resumed, capacity, seen, contenders: contenders.filter((name) => !resumed || RESUMED.includes(name)) };
  });
  for (let round = 0; round < circumstances.rounds; round++) {
    for (const { resumed, capacity, seen, contenders } of settings) {
      for (const contender of turnsOf(contenders, round)) {
        const [ofCpu, ofTime] = await measureOne(contender, resumed, circumstances.quick);
        capacity.add(TITLES[contender], ofCpu);
        seen.add(TITLES[contender], ofTime);
      }
    }
  }
  return {
    question: handshakes.title,
    conditions: [
      `connect and close, ECDSA P-256, ${CONCURRENCY} under way at once, loopback, server and client in two processes`,
      "The client does as much work as the server or more, so what the server can is told by the server's CPU time.",
    ],
    series,
    leftOut,
  };
}

export const handshakes: Question = {
  name: 'handshakes',
  title: 'How many handshakes can a server do?',
  rounds: 5,
  measure: ask,
};
