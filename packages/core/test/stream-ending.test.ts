import { once } from 'node:events';
import { expect, test } from 'vitest';
import { streamOverDuplex } from './tools/stream-over-duplex.ts';
import { HEADER } from './tools/stream-over-tcp.ts';

const messages = (count: number): string => Array.from({ length: count }, (_, n) => `<message id='${n}'/>`).join('');

/** All of `text` in one chunk, and the end of the bytes with it. */
const inOneChunk = (text: string) =>
  streamOverDuplex(function () {
    this.push(text);
    this.push(null);
  });

for (const [leaves, count] of [
  [false, 3],
  [true, 1],
] as const) {
  test(`[TC-05] [TC-13] close() in a push handler${leaves ? ' that leaves' : ''}, all bytes and their end come already`, async () => {
    const { bytes, stream } = inOneChunk(`${HEADER}${messages(3)}</stream:stream>`);
    const ended = once(bytes, 'end');
    for await (const event of stream.events()) {
      expect(event.type).toBe('header');
      break;
    }
    await ended;
    const ids: (string | undefined)[] = [];
    const subscription = stream.stanzas$.subscribe((stanza) => {
      ids.push(stanza.id);
      void stream.close();
      if (leaves) subscription.unsubscribe();
    });
    expect(await stream.closed).toEqual({ clean: true, by: 'local', error: null });
    expect(ids).toEqual(['0', '1', '2'].slice(0, count));
  });
}

test('[TC-05] [TC-13] close() before a slow pulling consumer has taken what came with the end of the bytes', async () => {
  const count = 3_000;
  const { bytes, stream } = inOneChunk(`${HEADER}${messages(count)}</stream:stream>`);
  const ended = once(bytes, 'end');
  let taken = 0;
  for await (const stanza of stream) {
    expect(stanza.id).toBe(String(taken));
    taken += 1;
    if (taken > 1) continue;
    await ended;
    // Our half ends too, so nothing holds the bytes open any more.
    await stream.close();
  }
  expect(taken).toBe(count);
  expect(await stream.closed).toEqual({ clean: true, by: 'local', error: null });
});

for (const size of [10, 60_000]) {
  test(`[TC-03] stanzas of ${size} bytes taken ahead of a slow consumer while closing are bounded in bytes`, async () => {
    const stanza = `<message>${'x'.repeat(size)}</message>`;
    let sent = 0;
    const { stream } = streamOverDuplex(
      function () {
        this.push(sent === 0 ? HEADER : stanza);
        sent += 1;
      },
      { closeTimeoutMs: 50 },
    );
    const stanzas = stream[Symbol.asyncIterator]();
    await stanzas.next();
    await stream.close();
    const bytesAhead = sent * stanza.length;
    expect(bytesAhead).toBeGreaterThan(size > 10 ? 200_000 : 10_000);
    expect(bytesAhead).toBeLessThan(1_000_000);
    expect(sent).toBeLessThan(5_000);
    let taken = 1;
    const rest = async (): Promise<void> => {
      for (;;) {
        await stanzas.next();
        taken += 1;
      }
    };
    await expect(rest()).rejects.toMatchObject({ code: 'XMPP_CLOSE_TIMEOUT' });
    expect(taken).toBeGreaterThan(1);
  });
}
