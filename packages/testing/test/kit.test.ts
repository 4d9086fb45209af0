import type { Connection } from '@stanzaport/core';
import { Observable } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { type MemoryByteStream, memoryConformance, transportConformance } from '../src/index.ts';
import { breakBytes, failureOf, listenerLike, same, withConnect, withListen, wrap } from './tools/broken-transports.ts';

describe('the kit finds out a transport that', () => {
  test('[TC-02] drops a chunk', async () => {
    let chunks = 0;
    const broken = breakBytes(
      '_write',
      (original) =>
        function (this: MemoryByteStream, chunk, encoding, callback) {
          chunks += 1;
          if (chunks % 5 === 0) callback();
          else original.call(this, chunk, encoding, callback);
        },
    );
    expect(await failureOf(broken, '100,000 stanzas arrive in order, each once')).toMatch(
      /stanza \d+ came where \d+ was due/,
    );
  });

  test('[TC-02] gives its buffers to both sides', async () => {
    const broken = breakBytes(
      '_write',
      (original) =>
        function (this: MemoryByteStream, chunk, encoding, callback) {
          original.call(this, chunk, encoding, callback);
          setImmediate(() => chunk.fill(0x78));
        },
    );
    const title = '10 MiB both ways at once, in writes of all sizes, come as they were sent';
    expect(await failureOf(broken, title)).not.toBe('passed');
  });

  test('[TC-03] holds any amount for a reader that does not read', async () => {
    const broken = breakBytes(
      'push',
      (original) =>
        function (this: MemoryByteStream, chunk) {
          original.call(this, chunk);
          return true;
        },
    );
    expect(await failureOf(broken, 'a stream nobody reads stops the peer')).toMatch(
      /bytes were taken for a reader that does not read/,
    );
  });

  test('[TC-13] takes a reset for an end in order', async () => {
    const broken = breakBytes(
      'lose',
      () =>
        function (this: MemoryByteStream) {
          this.push(null);
        },
    );
    expect(await failureOf(broken, 'a reset is peer-reset; what was delivered before stays')).toMatch(/PEER_CLOSED/);
  });

  test('[TC-01] announces a connection twice', async () => {
    const broken = wrap(
      (server) =>
        withListen(server, (listener) =>
          listenerLike(listener, {
            connections$: new Observable<Connection>((subscriber) =>
              listener.connections$.subscribe({
                next: (connection) => {
                  subscriber.next(connection);
                  subscriber.next(connection);
                },
                complete: () => subscriber.complete(),
              }),
            ),
          }),
        ),
      same,
    );
    expect(await failureOf(broken, 'each connection is announced once')).toMatch(/2 !== 1/);
  });

  test('[TC-01] keeps its port after close()', async () => {
    const broken = wrap(
      (server) => withListen(server, (listener) => listenerLike(listener, { close: async () => undefined })),
      same,
    );
    expect(await failureOf(broken, 'a port is free again once close() has resolved')).toMatch(/in use/);
  });

  test('[TC-08] leaks a timer for each connection', async () => {
    const timers: NodeJS.Timeout[] = [];
    const broken = wrap(same, (client) =>
      withConnect(client, (target, options) => {
        timers.push(setTimeout(() => undefined, 60_000));
        return client.connect(target, options);
      }),
    );
    const anew = 'when all is closed, no timer, socket or other handle remains, however the ends came about';
    expect(await failureOf(broken, anew)).toMatch(/resources remain: \d+ Timeout/);
    const staying = 'a listener that stays up keeps nothing of connections that have ended: handles';
    expect(await failureOf(broken, staying)).toMatch(/resources remain: \d+ Timeout/);
    for (const timer of timers) clearTimeout(timer);
  });

  test('[TC-08] keeps connections in memory', async () => {
    const kept: Connection[] = [];
    const broken = wrap(same, (client) =>
      withConnect(client, async (target, options) => {
        const connection = await client.connect(target, options);
        kept.push(connection);
        return connection;
      }),
    );
    const title = 'a listener that stays up keeps nothing of connections that have ended: memory';
    expect(await failureOf(broken, title)).toMatch(/are kept in memory/);
    expect(kept).not.toEqual([]);
  });

  test('[TC-09] fails with errors that have no code', async () => {
    const broken = wrap(same, (client) =>
      withConnect(client, async (target, options) => {
        try {
          return await client.connect(target, options);
        } catch (cause) {
          throw new Error('something went wrong', { cause });
        }
      }),
    );
    expect(await failureOf(broken, 'a kind the listener does not accept is alpn')).toMatch(/no code of the table/);
  });

  test('[TC-14] does not look at signals', async () => {
    const broken = wrap(same, (client) => withConnect(client, (target) => client.connect(target)));
    const title = 'connect() called off before or at any stage is aborted, or done; the other side keeps nothing';
    expect(await failureOf(broken, title)).toMatch(/nothing failed, where aborted was due/);
  });

  test('[TC-15] cuts its streams instead of draining them', async () => {
    const broken = wrap((server) => {
      const connections: Connection[] = [];
      return withListen(server, (listener) => {
        listener.connections$.subscribe((connection) => connections.push(connection));
        return listenerLike(listener, {
          close: (options) => {
            for (const connection of connections) connection.abort();
            return listener.close(options);
          },
        });
      });
    }, same);
    const title = 'a listener with 100 idle streams closes after their closing handshakes, cleanly everywhere';
    expect(await failureOf(broken, title)).toMatch(/clean: /);
  });
});

test('[TC-08] an ability that is not offered is reported as skipped, with the reason', () => {
  const { capabilities } = memoryConformance;
  const humble = { ...capabilities, streamsPerConnection: 1, rawPeer: false, provesDomain: false };
  const cases = transportConformance({ ...memoryConformance, capabilities: humble });
  const reasons = new Set(cases.flatMap(({ skip }) => skip ?? []));
  expect(reasons).toContain('a connection has one stream only');
  expect(reasons).toContain('the setup has no raw peer');
  expect(reasons).toContain('no domain is proved');
  expect(new Set(cases.map(({ requirement }) => requirement))).toEqual(
    new Set(Array.from({ length: 15 }, (_, index) => `TC-${String(index + 1).padStart(2, '0')}`)),
  );
});
