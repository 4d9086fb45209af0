import { isMigratable, type MigratableConnection, type StanzaStream } from '@stanzaport/core';
import { type FaultPlan, UdpForwarder } from '@stanzaport/testing';
import { BehaviorSubject, filter, firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { createQuicTransport, openStreamPair, targetOf } from './tools/quic-pair.ts';

const STANZAS = 10_000;
const NO_NETWORK_TROUBLE: Partial<FaultPlan> = {};
const BAD_LINE: Partial<FaultPlan> = { loss: 0.02, delayMs: 50 };

/** What comes to one end: stanzas numbered by their sender, and the paths. */
class Arrivals {
  readonly numbers: number[] = [];
  longestGapMs = 0;
  #lastMs = performance.now();
  readonly #remotePaths = new BehaviorSubject<readonly string[]>([]);
  readonly #wishes: { readonly count: number; readonly resolve: () => void }[] = [];

  /** Rejects with what the stream ended by, if it did before its time. */
  readonly #failure: Promise<never>;

  constructor(stream: StanzaStream) {
    this.#failure = new Promise((_, reject) => {
      stream.stanzas$.subscribe({
        next: ({ attributes }) => this.#take(Number(attributes.id)),
        error: reject,
        complete: () => reject(new Error('the stream has ended')),
      });
    });
    this.#failure.catch(() => undefined);
    stream.connection.path$.subscribe({
      next: ({ remote }) => this.#remotePaths.next([...this.remotePaths, `${remote.address} ${remote.port}`]),
      error: () => undefined,
    });
  }

  /** Every path the connection has told, in order. */
  get remotePaths(): readonly string[] {
    return this.#remotePaths.value;
  }

  until(count: number): Promise<void> {
    const arrived = new Promise<void>((resolve) => {
      if (this.numbers.length >= count) resolve();
      else this.#wishes.push({ count, resolve });
    });
    return Promise.race([arrived, this.#failure]);
  }

  async untilPath(count: number): Promise<void> {
    const told = firstValueFrom(this.#remotePaths.pipe(filter(({ length }) => length >= count)));
    await Promise.race([told, this.#failure]);
  }

  #take(number: number): void {
    const nowMs = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.numbers.push(number);
    for (const { count, resolve } of this.#wishes) if (count === this.numbers.length) resolve();
  }
}

/** Lets the conversation go on part by part, so that every move meets stanzas on their way. */
class Pace {
  #allowed = 0;
  #onMore: () => void = () => undefined;
  #more = new Promise<void>((resolve) => {
    this.#onMore = resolve;
  });

  allow(count: number): void {
    this.#allowed = count;
    this.#onMore();
    this.#more = new Promise((resolve) => {
      this.#onMore = resolve;
    });
  }

  async send(stream: StanzaStream): Promise<void> {
    for (let number = 0; number < STANZAS; number++) {
      while (number >= this.#allowed) await this.#more;
      const mayGoOn = stream.send(`<message id='${number}'><body>But soft! What light?</body></message>`);
      if (!mayGoOn) await stream.drained();
    }
  }
}

/** What happens to the path on the way, in this order, spread evenly over the conversation. */
function adventures(client: MigratableConnection, forwarder: UdpForwarder): (() => Promise<unknown>)[] {
  const present = () => forwarder.clients.at(-1);
  const rebind = () => present()?.rebind() ?? Promise.reject(new Error('the forwarder has no client'));
  const migrate = (host: number) => () => client.migrate({ localAddress: `127.0.0.${host}` });
  const migrateFromDeadPath = (host: number) => () => {
    present()?.die();
    return client.migrate({ localAddress: `127.0.0.${host}` });
  };
  return [
    migrate(2),
    rebind,
    migrate(3),
    rebind,
    migrateFromDeadPath(4),
    rebind,
    migrate(5),
    rebind,
    migrate(6),
    rebind,
  ];
}

async function travel(faults: Partial<FaultPlan>, name: string): Promise<void> {
  const listener = await (await createQuicTransport()).listen({ host: '127.0.0.1', port: 0 });
  const accepted = firstValueFrom(listener.connections$);
  await using forwarder = await UdpForwarder.open({
    target: listener.address,
    seed: 467,
    toServer: faults,
    toClient: faults,
  });
  const client = await (await createQuicTransport({ domains: [] })).connect(targetOf(forwarder.address));
  if (!isMigratable(client)) throw new Error('this connection cannot migrate');
  const server = await accepted;
  const { initiating, receiving } = await openStreamPair({ client, server });
  const [atServer, atClient] = [new Arrivals(receiving), new Arrivals(initiating)];
  const pace = new Pace();
  const sending = Promise.all([pace.send(initiating), pace.send(receiving)]);
  const stages = adventures(client, forwarder);
  const part = Math.ceil(STANZAS / (stages.length + 1));
  pace.allow(part);
  for (const [index, stage] of stages.entries()) {
    const halfway = part * index + Math.floor(part / 2);
    await Promise.all([atServer.until(halfway), atClient.until(halfway)]);
    await stage();
    pace.allow(part * (index + 2));
    // Each move is seen, proved and told by the server before the next one.
    await atServer.untilPath(index + 2);
  }
  await Promise.all([sending, atServer.until(STANZAS), atClient.until(STANZAS)]);
  const expected = [...Array(STANZAS).keys()];
  expect(atServer.numbers).toEqual(expected);
  expect(atClient.numbers).toEqual(expected);
  expect(new Set(atServer.remotePaths).size).toBe(stages.length + 1);
  const gaps = [atServer, atClient].map(({ longestGapMs }) => longestGapMs.toFixed(0));
  process.stdout.write(`${name}: longest gap ${gaps[0]} ms at the server, ${gaps[1]} ms at the client\n`);
  await Promise.all([initiating.close(), receiving.close()]);
  await client.close();
  await listener.close({ drainMs: 0 });
}

describe('a conversation of 10,000 stanzas each way that moves about', () => {
  test('[Q-13] [QT-05] five migrations, one of them from a dead path, and five NAT rebindings: 0 lost, 0 doubled, in order', async () => {
    await travel(NO_NETWORK_TROUBLE, 'good line');
  });

  test('[Q-13] [QT-05] the same with 2 % loss and 50 ms delay each way', async () => {
    await travel(BAD_LINE, '2 % loss, 50 ms');
  }, 120_000);
});
