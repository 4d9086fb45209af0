import { type StanzaStream, StreamError } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import type { QuicListener } from '../src/index.ts';
import {
  collect,
  connectPair,
  createQuicTransport,
  HEADER,
  headerOf,
  openStreamPair,
  type QuicPair,
  type QuicSetup,
  targetOf,
} from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(setup: QuicSetup = {}): Promise<QuicListener> {
  const transport = await createQuicTransport(setup);
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 });
  cleanups.push(() => listener.close({ drainMs: 0 }));
  return listener;
}

async function connectRaw(listener: QuicListener): Promise<RawQuicClient> {
  const client = await RawQuicClient.connect({ port: listener.address.port });
  cleanups.push(() => client.stop());
  return client;
}

/** A promise that is resolved from outside. */
function createGate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** How it has ended; null while it has not. */
function watch<T>({ closed }: { readonly closed: Promise<T> }): { readonly end: T | null } {
  const watched: { end: T | null } = { end: null };
  closed.then((end) => {
    watched.end = end;
  });
  return watched;
}

const stanzaOf = (bytes: number): string => `<message><body>${'x'.repeat(bytes)}</body></message>`;

describe('busy consumers', () => {
  test('[TC-03] six of them keep their connection alive, and get everything in the end', async () => {
    const streamWindowBytes = 262_144;
    await using pair = await connectPair({ options: { streamWindowBytes } });
    const server = watch(pair.server);
    const gate = createGate();
    const counts = Array<number>(6).fill(0);
    const consuming: Promise<unknown>[] = [];
    const initiating: StanzaStream[] = [];
    for (const index of counts.keys()) {
      const streams = await openStreamPair(pair);
      initiating.push(streams.initiating);
      const handle = async (): Promise<void> => {
        counts[index] = (counts[index] ?? 0) + 1;
        await gate.opened;
      };
      consuming.push(streams.receiving.consume(handle).catch((error: unknown) => error));
    }
    for (const stream of initiating) stream.send('<presence/>');
    await expect.poll(() => counts).toEqual([1, 1, 1, 1, 1, 1]);
    for (const stream of initiating) {
      for (let count = 0; count < 300; count++) stream.send(stanzaOf(1_000));
    }
    // The windows of all six are full: that much has come, and nobody has taken it.
    const full = (6 * streamWindowBytes) / 1_350;
    await expect.poll(() => server.end ?? pair.listener.counters.received, { timeout: 10_000 }).toBeGreaterThan(full);
    expect(counts).toEqual([1, 1, 1, 1, 1, 1]);
    gate.open();
    await expect.poll(() => counts, { timeout: 10_000 }).toEqual([301, 301, 301, 301, 301, 301]);
    expect(server.end).toBeNull();
    await Promise.all(initiating.map((stream) => stream.close()));
    expect(await Promise.all(consuming)).toEqual(Array(6).fill(undefined));
  });

  test('[QT-13] RESET_STREAM counts at once, also while the handler is busy', async () => {
    const listener = await listen();
    const accepted = firstValueFrom(listener.connections$);
    const client = await connectRaw(listener);
    client.write(0, HEADER);
    const stream = await firstValueFrom((await accepted).streams$);
    await headerOf(stream);
    const gate = createGate();
    let handled = 0;
    const consuming = stream.consume(() => {
      handled += 1;
      return gate.opened;
    });
    // The first is with the handler, the others wait: one chunk in front of the reader, the rest in the window.
    for (let count = 0; count < 3; count++) {
      const { received } = listener.counters;
      client.write(0, "<a xmlns='urn:x'/>");
      await expect.poll(() => listener.counters.received).toBeGreaterThan(received);
    }
    expect(handled).toBe(1);
    const over = watch(stream);
    client.engine.resetWriting(0, 0x1234);
    client.flush();
    await expect
      .poll(() => over.end, { timeout: 5_000 })
      .toMatchObject({ clean: false, error: { category: 'peer-reset', quicCode: 0x1234 } });
    gate.open();
    await expect(consuming).rejects.toMatchObject({ category: 'peer-reset' });
  });
});

describe('with much on its way', () => {
  // Nothing but CONNECTION_CLOSE can tell the client in time.
  const options = { idleTimeoutMs: 120_000, keepAliveMs: 60_000 };

  /** 200 KB are queued, of which the congestion window lets a few leave. */
  async function queue(pair: QuicPair): Promise<void> {
    const { initiating, receiving } = await openStreamPair(pair);
    collect(initiating);
    collect(receiving);
    for (let count = 0; count < 20; count++) receiving.send(stanzaOf(10_000));
  }

  test('[QT-15] abort() of the connection reaches the peer at once', async () => {
    await using pair = await connectPair({ options }, { options });
    const client = watch(pair.client);
    await queue(pair);
    // A turn, in which the congestion window fills.
    await new Promise(setImmediate);
    pair.server.abort();
    await expect
      .poll(() => client.end, { timeout: 5_000 })
      .toMatchObject({ clean: false, by: 'peer', error: { category: 'peer-reset', quicCode: 0x01 } });
  });

  test('[QT-15] so does close() of the listener without a drain', async () => {
    await using pair = await connectPair({ options }, { options });
    const client = watch(pair.client);
    await queue(pair);
    await pair.listener.close({ drainMs: 0 });
    await expect
      .poll(() => client.end, { timeout: 5_000 })
      .toMatchObject({ clean: false, by: 'peer', error: { category: 'peer-reset', quicCode: 0x01 } });
  });

  test('[TC-06] an aborted stream tells why behind all that was sent, also when the connection closes', async () => {
    // Only an end that is seen can be it, not one that is waited for.
    await using pair = await connectPair({ limits: { closeTimeoutMs: 120_000 } });
    const { initiating, receiving } = await openStreamPair(pair);
    const { stanzas, ended } = collect(initiating);
    for (let count = 0; count < 20; count++) receiving.send(stanzaOf(10_000));
    receiving.abort(new StreamError('conflict'));
    await receiving.closed;
    await pair.server.close();
    expect(await ended).toBe('conflict');
    expect(stanzas).toHaveLength(20);
    expect(await pair.server.closed).toMatchObject({ clean: true, by: 'local' });
  });
});

describe('keep-alive', () => {
  test('[QT-09] 0 is none: no PING is sent, and the idle timeout ends a connection with a stream', async () => {
    await using pair = await connectPair({ options: { idleTimeoutMs: 400 } }, { options: { keepAliveMs: 0 } });
    const client = watch(pair.client);
    collect((await openStreamPair(pair)).initiating);
    const { received } = pair.listener.counters;
    await expect.poll(() => client.end, { timeout: 5_000 }).toMatchObject({ error: { category: 'timeout' } });
    // The acknowledgements of what was sent before.
    expect(pair.listener.counters.received - received).toBeLessThan(5);
  });

  test('[QT-09] it follows the idle timeout of the peer where that is the lower one', async () => {
    const setup = { options: { idleTimeoutMs: 1_000 } };
    await using pair = await connectPair(setup);
    const client = watch(pair.client);
    const { initiating, receiving } = await openStreamPair(pair);
    const { stanzas } = collect(receiving);
    // Three idle timeouts, told by the clock of another connection that has nothing to keep it alive.
    for (let count = 0; count < 3; count++) {
      await using idle = await connectPair(setup);
      expect(await idle.client.closed).toMatchObject({ error: { category: 'timeout' } });
    }
    expect(client.end).toBeNull();
    initiating.send('<presence/>');
    await expect.poll(() => stanzas).toEqual(['<presence/>']);
  });
});

describe('calling off', () => {
  test('[TC-14] connect() is aborted whenever its signal is, also while its socket is being opened', async () => {
    const listener = await listen();
    const transport = await createQuicTransport({ domains: [] });
    for (let microtasks = 0; microtasks <= 8; microtasks++) {
      const controller = new AbortController();
      const connecting = transport.connect(targetOf(listener.address), { signal: controller.signal });
      const outcome = connecting.then(
        () => 'connected',
        (error: { category: string }) => error.category,
      );
      for (let count = 0; count < microtasks; count++) await null;
      controller.abort();
      expect([microtasks, await outcome]).toEqual([microtasks, 'aborted']);
    }
    expect(listener.connectionCount).toBe(0);
  });
});

describe('stream credit', () => {
  test('[QT-11] streams the server gave up give theirs back when the client ends its side', async () => {
    const listener = await listen({ limits: { closeTimeoutMs: 50 }, options: { maxC2sStreams: 4 } });
    const accepted = firstValueFrom(listener.connections$);
    const client = await connectRaw(listener);
    const server = await accepted;
    for (let streamId = 0; streamId < 4 * 12; streamId += 4) {
      await expect.poll(() => client.engine.peerStreamsLeft, { timeout: 5_000 }).toBeGreaterThan(0);
      client.write(streamId, HEADER);
      const stream = await firstValueFrom(server.streams$);
      await headerOf(stream);
      stream.abort(new StreamError('conflict'));
      // The client does not answer in time, so the stream is over on this side alone.
      await stream.close();
      await client.until(() => client.hasEnded(streamId));
      expect(client.text(streamId)).toMatch(/<conflict [^>]*>.*<\/stream:stream>$/);
      client.write(streamId, '</stream:stream>', true);
    }
  });
});
