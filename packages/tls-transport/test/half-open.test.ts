import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { TlsListener } from '../src/index.ts';
import { startTls } from './tools/clear-text.ts';
import { connectRaw } from './tools/raw-tls.ts';
import { createTransport, targetOf } from './tools/transports.ts';

const HELD = 500;
const ATTEMPTS = 1_500;
const KIB = 1_024;

/** The first record of a ClientHello that says it is 128 KiB long: the most that a stack may keep of one record. */
const FIRST_RECORD = Buffer.alloc(5 + 16 * KIB);
FIRST_RECORD.set([22, 3, 1, 0x40, 0, 1, 2, 0, 0, 3, 3]);

describe.each(['direct-tls', 'starttls'] as const)('half-open connections of %s', (upgrade) => {
  test('[TLS-04] [TC-12] thousands in waves hold so much memory and no more, and good ones are served in between', async () => {
    const limits = {
      maxPendingHandshakes: HELD,
      maxPendingHandshakesPerAddress: HELD,
      handshakeTimeoutMs: 600_000,
    };
    const { transport } = await createTransport({ upgrade, limits, options: { maxConnectionsPerAddress: 10_000 } });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const growths: number[] = [];
    const start = process.memoryUsage.rss();
    for (let wave = 1; wave <= 3; wave += 1) {
      const sockets = await flood(listener);
      expect(listener.pendingHandshakeCount).toBe(HELD);
      expect(listener.counters.refused).toBe(wave * (ATTEMPTS - HELD));
      growths.push(process.memoryUsage.rss() - start);
      for (const tcp of sockets) tcp.destroy();
      while (listener.pendingHandshakeCount > 0) await turn();
      const connection = await transport.connect(targetOf(listener.address));
      connection.abort();
      await connection.closed;
    }
    // The peers are in this process too, and both sides keep something of what was written to a socket.
    for (const growth of growths) expect(growth).toBeLessThan(HELD * 256 * KIB);
  });

  /** Opens them all, and sends the first record on those that are held. */
  async function flood(listener: TlsListener): Promise<readonly Socket[]> {
    const { accepted } = listener.counters;
    const sockets: Socket[] = [];
    while (sockets.length < ATTEMPTS) {
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => connectRaw(listener.address.port)))));
    }
    while (listener.counters.accepted < accepted + ATTEMPTS) await turn();
    await Promise.all(sockets.slice(0, HELD).map(begin));
    return sockets;
  }

  async function begin(tcp: Socket): Promise<void> {
    if (upgrade === 'starttls') await startTls(tcp);
    if (!tcp.write(FIRST_RECORD)) await once(tcp, 'drain');
  }
});
