import type { Socket } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { headerOf, proceed, startTls } from './tools/clear-text.ts';
import { connectRaw, readToEnd, secureRaw } from './tools/raw-tls.ts';
import { serve } from './tools/scripted-server.ts';
import { createTransport, DOMAIN, issue, OTHER_DOMAIN, targetOf } from './tools/transports.ts';

/** Resolves when the other side has ended or reset the connection. */
async function ended(tcp: Socket): Promise<void> {
  await readToEnd(tcp);
  tcp.destroy();
}

describe.each(['direct-tls', 'starttls'] as const)('limits of %s', (upgrade) => {
  test('[TC-12] unfinished handshakes of one address are bounded, and the rest is refused before TLS', async () => {
    const limits = { maxPendingHandshakesPerAddress: 5 };
    const { transport } = await createTransport({ upgrade, limits });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const sockets: Socket[] = [];
    for (let count = 0; count < 20; count += 1) sockets.push(await connectRaw(listener.address.port));
    await Promise.all(sockets.slice(5).map(ended));
    expect(listener.counters).toMatchObject({ accepted: 20, refused: 15 });
    expect(listener.pendingHandshakeCount).toBe(5);
    for (const tcp of sockets) tcp.destroy();
    await untilNoneIsPending(listener);
    const connection = await transport.connect(targetOf(listener.address));
    connection.abort();
  });

  test('[TLS-04] of 2,000 silent connections 1,000 are held until the deadline; then good ones are served', async () => {
    const limits = { maxPendingHandshakesPerAddress: 1_000, handshakeTimeoutMs: 6_000 };
    const { transport } = await createTransport({ upgrade, limits, options: { maxConnectionsPerAddress: 2_000 } });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const sockets: Socket[] = [];
    while (sockets.length < 2_000) {
      const batch = Array.from({ length: 100 }, () => connectRaw(listener.address.port));
      sockets.push(...(await Promise.all(batch)));
    }
    while (listener.counters.accepted < 2_000) await new Promise((resolve) => setImmediate(resolve));
    expect(listener.counters).toEqual({ accepted: 2_000, refused: 1_000, failedHandshakes: 0 });
    expect(listener.pendingHandshakeCount).toBe(1_000);
    await Promise.all(sockets.map(ended));
    await untilNoneIsPending(listener);
    expect(listener.counters.failedHandshakes).toBe(1_000);
    const connection = await transport.connect(targetOf(listener.address));
    connection.abort();
  });

  test('[TC-12] so they are in all, and connections per address', async () => {
    for (const [limits, options] of [
      [{ maxPendingHandshakes: 3 }, {}],
      [{}, { maxConnections: 3 }],
      [{}, { maxConnectionsPerAddress: 3 }],
    ] as const) {
      const { transport } = await createTransport({ upgrade, limits, options });
      await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
      const sockets: Socket[] = [];
      for (let count = 0; count < 5; count += 1) sockets.push(await connectRaw(listener.address.port));
      await Promise.all(sockets.slice(3).map(ended));
      expect(listener.counters.refused).toBe(2);
      for (const tcp of sockets) tcp.destroy();
    }
  });

  test('[TC-12] [TLS-04] who goes in the middle of a handshake makes room at once', async () => {
    const { transport } = await createTransport({ upgrade, limits: { handshakeTimeoutMs: 600_000 } });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const begun = await connectRaw(listener.address.port);
    if (upgrade === 'starttls') await startTls(begun);
    begun.end(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 0xfc]));
    await ended(begun);
    await untilNoneIsPending(listener);
    expect(listener.counters.failedHandshakes).toBe(1);
  });

  test('[TC-12] a client does not wait for a server that goes in the middle of a handshake', async () => {
    await using server = await serve(async (tcp) => {
      if (upgrade === 'starttls') await proceed(tcp);
      tcp.once('data', () => tcp.end());
    });
    const { port } = server;
    const { transport } = await createTransport({ upgrade, domains: [], limits: { handshakeTimeoutMs: 600_000 } });
    const connecting = transport.connect({ kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port });
    await expect(connecting).rejects.toMatchObject({ category: 'peer-reset' });
  });

  test('[TC-12] [STARTTLS-07] a handshake that is not done in time ends, wherever it has stopped', async () => {
    const { transport } = await createTransport({ upgrade, limits: { handshakeTimeoutMs: 300 } });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const silent = await connectRaw(listener.address.port);
    const begun = await connectRaw(listener.address.port);
    if (upgrade === 'starttls') await startTls(begun);
    // The head of a record with a ClientHello that never comes.
    begun.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 0xfc]));
    await Promise.all([silent, begun].map(ended));
    await untilNoneIsPending(listener);
    expect(listener.counters.failedHandshakes).toBe(2);
  });

  test('[TC-12] bytes that trickle in do not put the deadline off', async () => {
    const { transport } = await createTransport({ upgrade, limits: { handshakeTimeoutMs: 300 } });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const tcp = await connectRaw(listener.address.port);
    const bytes =
      upgrade === 'starttls' ? Buffer.from(headerOf()) : Buffer.from([22, 3, 1, 2, 0, ...new Uint8Array(90)]);
    let at = 0;
    const trickle = setInterval(() => tcp.write(bytes.subarray(at, ++at)), 20);
    await ended(tcp);
    clearInterval(trickle);
    expect(at).toBeLessThan(bytes.length);
  });

  test('[TC-12] [TC-01] a connection on which no stream comes ends by the header timeout', async () => {
    const { transport } = await createTransport({ upgrade, limits: { headerTimeoutMs: 200 } });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const accepted = firstValueFrom(listener.connections$);
    const client = await transport.connect(targetOf(listener.address));
    const server = await accepted;
    expect(await server.closed).toMatchObject({ clean: false, by: 'local', error: { category: 'timeout' } });
    expect(await client.closed).toMatchObject({ clean: false, by: 'peer' });
  });

  test('[TC-12] a client gives up a server that accepts and says nothing', async () => {
    await using server = await serve((tcp) => tcp.resume());
    const { port } = server;
    const { transport } = await createTransport({ upgrade, domains: [], limits: { handshakeTimeoutMs: 200 } });
    const connecting = transport.connect({ kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port });
    await expect(connecting).rejects.toMatchObject({ code: 'XMPP_HANDSHAKE_TIMEOUT' });
  });

  test('[TC-15] a listener that closes gives up unfinished handshakes', async () => {
    const { transport } = await createTransport({ upgrade });
    const listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const tcp = await connectRaw(listener.address.port);
    if (upgrade === 'starttls') await startTls(tcp);
    const end = ended(tcp);
    while (listener.counters.accepted === 0) await new Promise((resolve) => setImmediate(resolve));
    await listener.close();
    await end;
    expect(listener.pendingHandshakeCount).toBe(0);
  });

  test('[TC-15] at the deadline of a drain the peer is told system-shutdown', async () => {
    const { transport } = await createTransport({ upgrade });
    const listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const accepted = firstValueFrom(listener.connections$);
    const tcp = await connectRaw(listener.address.port);
    if (upgrade === 'starttls') await startTls(tcp);
    const tls = await secureRaw(tcp, { servername: DOMAIN });
    tls.write(headerOf());
    const connection = await accepted;
    const stream = await firstValueFrom(connection.streams$);
    await firstValueFrom(stream.events$);
    const answer = readToEnd(tls);
    await listener.close({ drainMs: 0 });
    expect(await answer).toMatch(/<stream:error><system-shutdown .*<\/stream:stream>$/);
    expect(await connection.closed).toMatchObject({ clean: false, error: { category: 'shutdown' } });
  });

  test('[CERT-24] a credential is replaced under load: no connection drops, new ones are shown the new certificate', async () => {
    const { transport, credentials } = await createTransport({ upgrade, domains: [DOMAIN, OTHER_DOMAIN] });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    listener.connections$.subscribe();
    const before = await transport.connect(targetOf(listener.address));
    const serials = new Set<string>();
    for (let round = 0; round < 5; round += 1) {
      credentials.replace([await issue(DOMAIN)]);
      const later = await transport.connect(targetOf(listener.address));
      serials.add(Buffer.from(later.security.peerCertificates[0] ?? []).toString('hex'));
      later.abort();
    }
    expect(serials.size).toBe(5);
    const stream = await before.openStream();
    stream.sendHeader({ to: DOMAIN });
    expect(stream.queuedBytes).toBeGreaterThan(0);
    const { cert } = await issue(DOMAIN);
    const { key } = await issue(DOMAIN);
    expect(() => credentials.replace([{ domain: DOMAIN, cert, key }])).toThrow(/does not fit/);
    const last = await transport.connect(targetOf(listener.address));
    expect(serials.has(Buffer.from(last.security.peerCertificates[0] ?? []).toString('hex'))).toBe(true);
    expect(listener.connectionCount).toBeGreaterThanOrEqual(1);
    last.abort();
    before.abort();
  });
});

async function untilNoneIsPending(listener: { readonly pendingHandshakeCount: number }): Promise<void> {
  while (listener.pendingHandshakeCount > 0) await new Promise((resolve) => setImmediate(resolve));
}
