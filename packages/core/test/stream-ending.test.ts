import { once } from 'node:events';
import { stopWriting, TransportError, whenUnwanted } from '@stanzaport/core';
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

test('[TC-13] a peer that has said all and wants nothing more: what it said is delivered, and that is no clean end', async () => {
  const { bytes, stream } = inOneChunk(`${HEADER}${messages(100)}</stream:stream>`);
  const closed = once(bytes, 'close');
  const ids: (string | undefined)[] = [];
  const reading = (async (): Promise<void> => {
    for await (const stanza of stream) {
      ids.push(stanza.id);
      if (ids.length > 1) continue;
      stopWriting(bytes, new TransportError('XMPP_PEER_RESET', 'no more'));
      // Both halves have ended, and the reader holds the rest.
      await closed;
    }
  })();
  await expect(reading).rejects.toMatchObject({ code: 'XMPP_PEER_RESET' });
  expect(ids).toHaveLength(100);
  expect(await stream.closed).toMatchObject({ clean: false, by: 'peer' });
});

test('[TC-06] what is given up is not taken: drained() rejects, whatever the bytes call back', async () => {
  const { bytes, stream } = streamOverDuplex(() => undefined, { sendHighWaterMarkBytes: 1_024 });
  let giveUp: () => void = () => undefined;
  bytes._write = (_chunk, _encoding, done) => {
    giveUp = done;
  };
  bytes._destroy = (error, done) => {
    giveUp();
    done(error);
  };
  stream.sendHeader();
  stream.send(`<message>${'x'.repeat(10_000)}</message>`);
  const drained = stream.drained();
  await new Promise((resolve) => setImmediate(resolve));
  const error = new TransportError('XMPP_SHUTDOWN', 'enough');
  bytes.destroy(error);
  await expect(drained).rejects.toBe(error);
});

test('[TC-05] transports without half-close are told when the peer has said its last word, once', async () => {
  const told: string[] = [];
  for (const last of ['</stream:stream>', '<x></y>']) {
    const { bytes, stream } = streamOverDuplex(() => undefined);
    whenUnwanted(bytes, () => told.push(last));
    const reading = stream.consume(() => undefined).catch(() => undefined);
    bytes.push(HEADER);
    void stream.close();
    bytes.push('<message/>');
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).not.toContain(last);
    bytes.push(last);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toContain(last);
    bytes.push(null);
    await reading;
    whenUnwanted(bytes, () => told.push('at once'));
    expect(told.pop()).toBe('at once');
  }
  expect(told).toEqual(['</stream:stream>', '<x></y>']);
});
