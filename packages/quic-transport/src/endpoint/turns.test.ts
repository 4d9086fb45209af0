import { Duplex } from 'node:stream';
import { type Connection, createStanzaStream, resolveLimits, silentLogger } from '@stanzaport/core';
import { expect, test } from 'vitest';
import { Turns, type TurnTaker } from './turns.ts';

/** Takes its turns, and tells what it did. */
class Taker implements TurnTaker {
  readonly steps: string[] = [];
  onInput: () => void = () => undefined;

  pollInput(): void {
    this.steps.push('input');
    this.onInput();
  }

  pollOutput(): void {
    this.steps.push('output');
  }
}

const raise = (thrown: unknown): never => {
  throw thrown;
};

/** Resolves after the turns that are due now. */
const turns = (count: number): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(() => (count === 0 ? resolve() : turns(count - 1).then(resolve)));
  });

test('[TC-01] a reader that comes between input and output is polled for input again', async () => {
  const pump = new Turns(raise);
  const taker = new Taker();
  taker.onInput = () => {
    taker.onInput = () => undefined;
    process.nextTick(() => pump.markForInput(taker));
  };
  pump.mark(taker);
  await turns(3);
  expect(taker.steps).toEqual(['input', 'output', 'input', 'output']);
});

test('[TC-01] handlers that await what is at hand go on before output, however often they do', async () => {
  const pump = new Turns(raise);
  const taker = new Taker();
  taker.onInput = async () => {
    taker.onInput = () => undefined;
    for (let step = 1; step <= 5; step++) await null;
    taker.steps.push('answer');
    pump.mark(taker);
  };
  pump.mark(taker);
  await turns(2);
  expect(taker.steps).toEqual(['input', 'answer', 'output']);
});

test('[TC-01] what stanza streams are given to send during input is handed over before output, in the same turn', async () => {
  const pump = new Turns(raise);
  const [taker, other] = [new Taker(), new Taker()];
  const written: string[] = [];
  const bytes = new Duplex({
    read: () => undefined,
    write: (chunk, _encoding, done) => {
      written.push(String(chunk));
      pump.mark(other);
      done();
    },
  });
  const stream = createStanzaStream(bytes, {
    id: '0',
    connection: { id: '1', kind: 'c2s' } as Connection,
    role: 'initiating',
    limits: resolveLimits(),
    logger: silentLogger,
  });
  taker.onInput = () => {
    stream.sendHeader({ to: 'capulet.example' });
    stream.send('<presence/>');
  };
  pump.mark(taker);
  await turns(1);
  expect(written).toEqual([expect.stringMatching(/^<\?xml.*<presence\/>$/)]);
  expect([taker.steps, other.steps]).toEqual([['input', 'output'], ['output']]);
  bytes.destroy();
});
