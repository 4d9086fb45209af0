import type { BenchClient, BenchConnection, BenchStream, ServerSetup } from './contender.ts';

/** What a client does, and measures. */
export type Task =
  /**
   * On every stream of every connection at once: sends `stanzas`, waits for the answer; when all streams have theirs,
   * again. One stanza makes it an echo, many a measure of throughput. The server has to answer every `stanzas`.
   */
  | {
      readonly name: 'exchange';
      readonly connections: number;
      readonly stanzas: number;
      readonly repeats: number;
      /** Repeats left out at the start, while the compilers and the congestion window warm up. */
      readonly warmUp: number;
    }
  /** Each sender sends a stanza every `intervalMs`, whatever has come back; the server has to answer each. */
  | {
      readonly name: 'paced';
      readonly connections: number;
      /** Of each connection. */
      readonly streams: number;
      /** Of each stream: independent senders that share it. */
      readonly senders: number;
      readonly intervalMs: number;
      readonly durationMs: number;
      readonly warmUpMs: number;
    }
  /** Connects; closes each connection, without waiting for it, when {@link OPEN_AT_ONCE} younger ones are there. No stream. */
  | {
      readonly name: 'handshakes';
      readonly count: number;
      /** Under way at once. */
      readonly concurrency: number;
      readonly resumed: boolean;
    }
  /** Opens so many connections more, has one stanza answered on one stream of each, and then leaves them alone. */
  | { readonly name: 'hold'; readonly connections: number };

/** Milliseconds: of each repeat, of each round trip, of the whole; in the order in which they ended. */
export type Result = readonly number[];

/** For answers that are late: one that cannot keep up is shown as it is, by how late they come. */
const PATIENCE_MS = 120_000;

/** So that a handshake is confirmed, and what belongs to it sent and acknowledged, before its connection is closed. */
const OPEN_AT_ONCE = 64;

/** Connections opened at once: below what a server takes from one address. */
const OPENING_AT_ONCE = 16;

/** The server's part, on each stream. */
export function serve(
  stream: BenchStream,
  { answerEvery, workUs = 0 }: Pick<ServerSetup, 'answerEvery' | 'workUs'>,
): void {
  let unanswered = 0;
  stream.onStanza = () => {
    unanswered += 1;
    if (workUs > 0) work(workUs);
    if (unanswered < answerEvery) return;
    unanswered = 0;
    stream.send();
  };
}

/** Keeps the processor busy, as what a server does with a stanza would. */
function work(us: number): void {
  const endMs = performance.now() + us / 1_000;
  while (performance.now() < endMs);
}

export async function perform(task: Task, client: BenchClient): Promise<Result> {
  switch (task.name) {
    case 'exchange':
      return exchange(task, await openStreams(client, task.connections, 1));
    case 'paced':
      return pace(task, await openStreams(client, task.connections, task.streams));
    case 'handshakes':
      return shakeHands(task, client);
    case 'hold':
      return hold(await openStreams(client, task.connections, 1));
  }
}

/** Kept, so that nothing is collected that is to be held. */
const held: (readonly BenchStream[])[] = [];

async function hold(streams: readonly BenchStream[]): Promise<Result> {
  held.push(streams);
  return exchange({ stanzas: 1, repeats: 1, warmUp: 0 }, streams);
}

/** Runs `work` for 0 to `count` - 1, `atOnce` of them at a time. */
async function inParallel(count: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, run));
}

async function openStreams(client: BenchClient, connections: number, streams: number): Promise<readonly BenchStream[]> {
  const opened: BenchStream[] = [];
  await inParallel(connections, OPENING_AT_ONCE, async () => {
    const connection = await client.connect();
    for (let index = 0; index < streams; index++) opened.push(await connection.openStream());
  });
  return opened;
}

async function exchange(
  { stanzas, repeats, warmUp }: Pick<Extract<Task, { name: 'exchange' }>, 'stanzas' | 'repeats' | 'warmUp'>,
  streams: readonly BenchStream[],
): Promise<Result> {
  const elapsedMs: number[] = [];
  for (let repeat = 0; repeat < repeats + warmUp; repeat++) {
    const began = performance.now();
    await new Promise<void>((resolve) => {
      let waiting = streams.length;
      for (const stream of streams) {
        stream.onStanza = () => {
          waiting -= 1;
          if (waiting === 0) resolve();
        };
        sendAll(stream, stanzas);
      }
    });
    if (repeat >= warmUp) elapsedMs.push(performance.now() - began);
  }
  return elapsedMs;
}

function sendAll(stream: BenchStream, stanzas: number): void {
  let sent = 0;
  stream.onDrained = () => {
    while (sent < stanzas) {
      sent += 1;
      if (!stream.send()) return;
    }
  };
  stream.onDrained();
}

async function pace(
  { senders, intervalMs, durationMs, warmUpMs }: Extract<Task, { name: 'paced' }>,
  streams: readonly BenchStream[],
): Promise<Result> {
  const roundTripsMs: number[] = [];
  const warmUntil = performance.now() + warmUpMs;
  const until = warmUntil + durationMs;
  let underWay = 0;
  const queues = streams.map((stream) => {
    // Answers come in the order of what they answer.
    const sentAt: number[] = [];
    stream.onStanza = () => {
      const at = sentAt.shift() ?? Number.NaN;
      underWay -= 1;
      if (at >= warmUntil) roundTripsMs.push(performance.now() - at);
    };
    return { stream, sentAt };
  });
  // All senders spread evenly over the interval: the n-th shot of all goes out at n / perMs.
  const all = queues.length * senders;
  const perMs = all / intervalMs;
  const began = performance.now();
  let shots = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const now = performance.now();
      if (now >= until) {
        clearInterval(timer);
        resolve();
        return;
      }
      for (; shots < (now - began) * perMs; shots++) {
        const queue = queues[shots % queues.length];
        queue?.sentAt.push(performance.now());
        queue?.stream.send();
        underWay += 1;
      }
    }, 1);
  });
  const patience = performance.now() + PATIENCE_MS;
  while (underWay > 0 && performance.now() < patience) await new Promise((resolve) => setTimeout(resolve, 10));
  if (underWay > 0) throw new Error(`${underWay} answers did not come`);
  return roundTripsMs;
}

async function shakeHands(
  { count, concurrency, resumed }: Extract<Task, { name: 'handshakes' }>,
  client: BenchClient,
): Promise<Result> {
  const open: BenchConnection[] = [];
  const closing: Promise<void>[] = [];
  const began = performance.now();
  await inParallel(count, concurrency, async () => {
    const connection: BenchConnection = await client.connect();
    // A figure of another handshake than the one in its row would be worse than none.
    if (connection.resumed !== resumed)
      throw new Error(`a handshake was ${connection.resumed ? '' : 'not '}resumed, against what was asked`);
    open.push(connection);
    if (open.length > OPEN_AT_ONCE) closing.push((open.shift() as BenchConnection).close());
  });
  const elapsedMs = performance.now() - began;
  await Promise.all([...closing, ...open.map((connection) => connection.close())]);
  return [elapsedMs];
}
