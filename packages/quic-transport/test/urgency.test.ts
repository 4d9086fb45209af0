import type { StanzaStream } from '@stanzaport/core';
import { describe, expect, test } from 'vitest';
import { connectPair, openStreamPair } from './tools/quic-pair.ts';

const BODY = 'x'.repeat(8_000);
const STANZA_BYTES = `<message id='00000'><body>${BODY}</body></message>`.length;

/** Sends `count` stanzas, waiting whenever the stream says so. */
async function sendBulk(stream: StanzaStream, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const id = String(index).padStart(5, '0');
    if (!stream.send(`<message id='${id}'><body>${BODY}</body></message>`)) await stream.drained();
  }
}

describe('urgency of a stream (RFC 9218 §4.1)', () => {
  test('[Q-17] a stanza at urgency 0 overtakes 8 MB at urgency 7 that were sent before it', async () => {
    await using pair = await connectPair();
    const bulk = await openStreamPair(pair);
    const urgent = await openStreamPair(pair);
    bulk.initiating.setUrgency(7);
    urgent.initiating.setUrgency(0);
    const count = Math.ceil((8 * 1024 * 1024) / STANZA_BYTES);
    const arrived: string[] = [];
    urgent.receiving.stanzas$.subscribe(() => arrived.push('urgent'));
    let bulkCount = 0;
    const bulkDone = bulk.receiving.consume((stanza) => {
      bulkCount += 1;
      if (bulkCount === 100) urgent.initiating.send('<presence/>');
      if (bulkCount === count) {
        arrived.push(`bulk ${stanza.id}`);
        bulk.initiating.close();
      }
    });
    await sendBulk(bulk.initiating, count);
    await bulkDone;
    expect(arrived).toEqual(['urgent', `bulk ${String(count - 1).padStart(5, '0')}`]);
  });

  test.each(['initiating', 'receiving'] as const)(
    '[Q-17] what the %s entity sends at urgency 0 goes before all that its other stream has waiting',
    async (sender) => {
      const windows = { options: { streamWindowBytes: 2 ** 20 } };
      await using pair = await connectPair(windows, windows);
      const low = await openStreamPair(pair);
      const high = await openStreamPair(pair);
      const receiver = sender === 'initiating' ? 'receiving' : 'initiating';
      low[sender].setUrgency(6);
      high[sender].setUrgency(1);
      const count = 100;
      let lowCount = 0;
      low[receiver].stanzas$.subscribe(() => {
        lowCount += 1;
      });
      let highCount = 0;
      const lowCountAtTheEnd = new Promise<number>((resolve) => {
        high[receiver].stanzas$.subscribe(() => {
          highCount += 1;
          if (highCount === count) resolve(lowCount);
        });
      });
      const text = `<message id='00000'><body>${BODY}</body></message>`;
      for (let index = 0; index < count; index++) low[sender].send(text);
      for (let index = 0; index < count; index++) high[sender].send(text);
      // Of the 800 kB that were sent first, only what the congestion window held when the others came.
      expect(await lowCountAtTheEnd).toBeLessThan(count / 4);
      await expect.poll(() => lowCount).toBe(count);
    },
  );

  test('[Q-17] can be given when a stream is opened, and is 3 otherwise', async () => {
    await using pair = await connectPair();
    expect((await pair.client.openStream()).urgency).toBe(3);
    const stream = await pair.client.openStream({ urgency: 0 });
    expect(stream.urgency).toBe(0);
    stream.setUrgency(7);
    expect(stream.urgency).toBe(7);
    pair.client.abort();
    await stream.closed;
    stream.setUrgency(1);
  });

  test.each([-1, 8, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('[POL-01] %d is none', async (urgency) => {
    await using pair = await connectPair();
    const refused = { code: 'XMPP_BAD_OPTION' };
    await expect(pair.client.openStream({ urgency })).rejects.toMatchObject(refused);
    const stream = await pair.client.openStream();
    expect(() => stream.setUrgency(urgency)).toThrow(expect.objectContaining(refused));
    expect(stream.urgency).toBe(3);
  });
});
