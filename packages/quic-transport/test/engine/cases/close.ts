import assert from 'node:assert/strict';
import type { Engine, EngineCloseError } from '../../../src/engine/port.ts';
import { casesWith, type EngineCase } from '../engine-case.ts';
import { connectedPair, readAll, transmitAll } from '../harness.ts';

const readable = (error: EngineCloseError | null): unknown =>
  error && { ...error, reason: Buffer.from(error.reason).toString() };

/** Ends of a connection. */
export const closeCases = (create: () => Engine): EngineCase[] =>
  casesWith(create, [
    [
      'QT-14',
      'both kinds of close are told with code and reason, to both sides',
      async (engine) => {
        for (const application of [true, false]) {
          const pair = await connectedPair(engine);
          assert.deepEqual([pair.client.localError, pair.server.peerError], [null, null]);
          pair.client.close(application, 0x101, 'enough');
          pair.client.close(application, 2, 'a second call does nothing');
          pair.pump();
          const expected = { application, code: 0x101, reason: 'enough' };
          assert.deepEqual(readable(pair.client.localError), expected);
          assert.deepEqual(readable(pair.server.peerError), expected);
          assert.deepEqual([pair.client.peerError, pair.server.localError], [null, null]);
          assert.deepEqual([pair.client.draining, pair.server.draining], [true, true]);
        }
      },
    ],
    [
      'QT-14',
      'codes that no packet can hold are brought into range, and the close is sent',
      async (engine) => {
        for (const code of [-1, Number.NaN, 2 ** 62, 1e300, Number.NEGATIVE_INFINITY]) {
          const pair = await connectedPair(engine);
          pair.client.close(true, code, '');
          pair.pump();
          assert.equal(pair.server.peerError?.code, Number.isNaN(code) || code < 0 ? 0 : Number.MAX_SAFE_INTEGER);
        }
      },
    ],
    [
      'QT-14',
      'a long reason is cut to 200 bytes, before a character that does not fit whole',
      async (engine) => {
        const pair = await connectedPair(engine);
        pair.client.close(true, 0, `x${'é'.repeat(5000)}`);
        pair.pump();
        assert.equal(Buffer.from(pair.server.peerError?.reason ?? []).toString(), `x${'é'.repeat(99)}`);
      },
    ],
    [
      'QT-15',
      "what came before the peer's close can still be read",
      async (engine) => {
        const pair = await connectedPair(engine);
        pair.client.write(0, Buffer.from('last words'), true);
        pair.pump();
        pair.client.close(true, 0, '');
        pair.pump();
        assert.equal(pair.server.draining, true);
        assert.deepEqual(readAll(pair.server, 0), { bytes: Buffer.from('last words'), end: 'fin' });
      },
    ],
    [
      'QT-15',
      'a closed connection is gone after its draining time, on both sides',
      async (engine) => {
        const pair = await connectedPair(engine);
        pair.client.close(true, 0, '');
        await pair.until(() => pair.client.closed && pair.server.closed);
        assert.deepEqual([pair.client.timedOut, pair.server.timedOut], [false, false]);
        assert.deepEqual([pair.client.deadlineMs, pair.server.deadlineMs], [null, null]);
      },
    ],
    [
      'QT-08',
      'the lower idle timeout wins on both sides, silently',
      async (engine) => {
        const pair = await connectedPair(engine, {
          client: { idleTimeoutMs: 120_000 },
          server: { idleTimeoutMs: 150 },
        });
        const sent: number[] = [];
        pair.network = (datagrams) => {
          sent.push(datagrams.length);
          return datagrams;
        };
        await pair.until(() => pair.client.closed && pair.server.closed);
        assert.deepEqual([pair.client.timedOut, pair.server.timedOut], [true, true]);
        assert.deepEqual(
          [pair.client.localError, pair.client.peerError, pair.server.localError, pair.server.peerError],
          [null, null, null, null],
        );
        assert.equal(Math.max(...sent), 0);
      },
    ],
    [
      'QT-08',
      'deadlines fit a timer of Node.js, also where the idle timeout does not',
      async (engine) => {
        const longest = { idleTimeoutMs: 2 ** 40 };
        const { client, server } = await connectedPair(engine, { client: longest, server: longest });
        for (const { deadlineMs } of [client, server])
          assert.ok(deadlineMs !== null && deadlineMs > 0 && deadlineMs <= 2 ** 31 - 1);
      },
    ],
    [
      'QT-08',
      'a deadline taken early does nothing',
      async (engine) => {
        const { client } = await connectedPair(engine);
        client.onDeadline();
        assert.deepEqual([client.closed, transmitAll(client)], [false, []]);
      },
    ],
  ]);
