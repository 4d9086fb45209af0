import { type Connection, isMigratable, type MigratableConnection, type NetworkPath } from '@stanzaport/core';
import { UdpForwarder, type UdpForwarderOptions } from '@stanzaport/testing';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { collect, createQuicTransport, openStreamPair, type QuicSetup, targetOf } from './tools/quic-pair.ts';

interface Line extends AsyncDisposable {
  readonly forwarder: UdpForwarder;
  readonly client: MigratableConnection;
  readonly server: Connection;
}

/** A connection over a network that is told what to do. */
async function connectOver(
  faults: Omit<UdpForwarderOptions, 'target'> = {},
  serverSetup: QuicSetup = {},
  clientSetup: QuicSetup = {},
): Promise<Line> {
  const listener = await (await createQuicTransport(serverSetup)).listen({ host: '127.0.0.1', port: 0 });
  const accepted = firstValueFrom(listener.connections$);
  const forwarder = await UdpForwarder.open({ target: listener.address, seed: 467, ...faults });
  const transport = await createQuicTransport({ domains: [], ...clientSetup });
  const client = await transport.connect(targetOf(forwarder.address));
  if (!isMigratable(client)) throw new Error('this connection cannot migrate');
  const server = await accepted;
  return {
    forwarder,
    client,
    server,
    async [Symbol.asyncDispose]() {
      client.abort();
      await client.close();
      await listener.close({ drainMs: 0 });
      await forwarder.close();
    },
  };
}

function pathsOf(connection: Connection): NetworkPath[] {
  const paths: NetworkPath[] = [];
  connection.path$.subscribe({ next: (path) => paths.push(path), error: () => undefined });
  return paths;
}

/** Sends stanzas with these numbers as fast as the stream takes them. */
async function sendNumbers(
  stream: { send(text: string): boolean; drained(): Promise<void> },
  count: number,
): Promise<void> {
  for (let number = 0; number < count; number++) {
    if (!stream.send(`<message id='${number}'><body>${'x'.repeat(60)}</body></message>`)) await stream.drained();
  }
}

const numbersOf = (stanzas: readonly string[]): number[] =>
  stanzas.map((source) => Number(/id='(\d+)'/.exec(source)?.[1]));

describe('a network that loses its mind', () => {
  test('[QT-19] 5 % loss, 10 % reordering and 2 % duplicates are invisible: 10,000 stanzas each way, once and in order', async () => {
    const faults = { loss: 0.05, reorder: 0.1, duplicate: 0.02 };
    await using line = await connectOver({ toServer: faults, toClient: faults });
    const { initiating, receiving } = await openStreamPair(line);
    const [atServer, atClient] = [collect(receiving), collect(initiating)];
    await Promise.all([sendNumbers(initiating, 10_000), sendNumbers(receiving, 10_000)]);
    await initiating.close();
    await Promise.all([atServer.ended, atClient.ended]);
    const expected = [...Array(10_000).keys()];
    expect(numbersOf(atServer.stanzas)).toEqual(expected);
    expect(numbersOf(atClient.stanzas)).toEqual(expected);
    const { toServer, toClient } = line.forwarder.counters;
    expect(Math.min(toServer.lost, toServer.reordered, toServer.duplicated)).toBeGreaterThan(0);
    expect(Math.min(toClient.lost, toClient.reordered, toClient.duplicated)).toBeGreaterThan(0);
  }, 60_000);

  test('[QT-19] datagrams with flipped bits are as good as lost', async () => {
    const faults = { corrupt: 0.05 };
    await using line = await connectOver({ toServer: faults, toClient: faults });
    const { initiating, receiving } = await openStreamPair(line);
    const { stanzas, ended } = collect(receiving);
    collect(initiating);
    await sendNumbers(initiating, 5_000);
    await initiating.close();
    expect(await ended).toBe('clean');
    expect(numbersOf(stanzas)).toEqual([...Array(5_000).keys()]);
    expect(line.forwarder.counters.toServer.corrupted).toBeGreaterThan(0);
  }, 60_000);

  test('[QT-15] closing right after 5 MiB at 5 % loss: the peer has read it all before the connection closes with code 0', async () => {
    const faults = { loss: 0.05 };
    await using line = await connectOver(
      { toServer: faults, toClient: faults },
      {},
      { limits: { maxSendQueueBytes: 16 * 2 ** 20, closeTimeoutMs: 60_000 } },
    );
    const { initiating, receiving } = await openStreamPair(line);
    collect(initiating);
    const { stanzas, ended } = collect(receiving);
    for (let number = 0; number < 5 * 1_024; number++) {
      initiating.send(`<message id='${number}'><body>${'x'.repeat(990)}</body></message>`);
    }
    await line.client.close();
    expect(await ended).toBe('clean');
    expect(numbersOf(stanzas)).toEqual([...Array(5 * 1_024).keys()]);
    expect(await line.server.closed).toEqual({ clean: true, by: 'peer', error: null });
  }, 60_000);
});

describe('a path that dies', () => {
  test('[Q-13] the client moves by itself when nothing comes back, and what was sent meanwhile arrives', async () => {
    await using line = await connectOver();
    const paths = pathsOf(line.client);
    const { initiating, receiving } = await openStreamPair(line);
    const { stanzas } = collect(receiving);
    line.forwarder.clients[0]?.die();
    initiating.send("<message id='0'/>");
    await expect.poll(() => paths.length, { timeout: 10_000 }).toBe(2);
    initiating.send("<message id='1'/>");
    await expect.poll(() => stanzas.length).toBe(2);
    expect(numbersOf(stanzas)).toEqual([0, 1]);
    expect(paths[1]?.local.port).not.toBe(paths[0]?.local.port);
  });

  test('[Q-13] also where the path is dead towards the server only, and the server goes on talking', async () => {
    await using line = await connectOver();
    const paths = pathsOf(line.client);
    const { initiating, receiving } = await openStreamPair(line);
    const atServer = collect(receiving);
    const atClient = collect(initiating);
    line.forwarder.clients[0]?.die('to-server');
    let [sent, told] = [0, 0];
    const talk = setInterval(() => {
      initiating.send(`<message id='${sent++}'/>`);
      receiving.send(`<message id='${told++}'/>`);
    }, 20);
    await expect.poll(() => paths.length, { timeout: 20_000 }).toBe(2);
    clearInterval(talk);
    await expect.poll(() => atServer.stanzas.length).toBe(sent);
    await expect.poll(() => atClient.stanzas.length).toBe(told);
  });

  test('[Q-13] sending goes on while there is no network: queued, held back at the mark, delivered later', async () => {
    await using line = await connectOver({}, {}, { limits: { sendHighWaterMarkBytes: 16_384 } });
    const { initiating, receiving } = await openStreamPair(line);
    const { stanzas } = collect(receiving);
    line.forwarder.die();
    let sent = 0;
    while (initiating.send(`<message id='${sent}'><body>${'x'.repeat(500)}</body></message>`)) sent += 1;
    expect(initiating.queuedBytes).toBeGreaterThanOrEqual(16_384);
    line.forwarder.revive();
    await initiating.drained();
    await expect.poll(() => stanzas.length, { timeout: 20_000 }).toBe(sent + 1);
    expect(numbersOf(stanzas)).toEqual([...Array(sent + 1).keys()]);
  });

  test('[QT-05] where the new path leads nowhere, the connection is back on the old one', async () => {
    await using line = await connectOver();
    const paths = pathsOf(line.client);
    const { initiating, receiving } = await openStreamPair(line);
    const { stanzas } = collect(receiving);
    const [known] = line.forwarder.clients;
    line.forwarder.dropNext(1_000_000, ({ client }) => client !== known);
    const migration = line.client.migrate({ localAddress: '127.0.0.2' });
    initiating.send("<message id='0'/>");
    await expect(migration).rejects.toMatchObject({ code: 'XMPP_UNREACHABLE', category: 'unreachable' });
    initiating.send("<message id='1'/>");
    await expect.poll(() => stanzas.length, { timeout: 10_000 }).toBe(2);
    expect(paths).toHaveLength(1);
  });

  test('[TC-14] a migration that waits for an answer is called off, and the connection is back on the old path', async () => {
    await using line = await connectOver();
    const { initiating, receiving } = await openStreamPair(line);
    const { stanzas } = collect(receiving);
    const [known] = line.forwarder.clients;
    line.forwarder.dropNext(1_000_000, ({ client }) => client !== known);
    const migration = line.client.migrate({ localAddress: '127.0.0.2', signal: AbortSignal.timeout(100) });
    await expect(migration).rejects.toMatchObject({ code: 'XMPP_ABORTED' });
    initiating.send("<message id='0'/>");
    await expect.poll(() => stanzas.length, { timeout: 10_000 }).toBe(1);
  });

  test('[Q-15] [QT-05] where no path is left, every stream ends with a timeout, and never with a clean end', async () => {
    const options = { idleTimeoutMs: 3_000 };
    await using line = await connectOver({}, { options }, { options });
    const { initiating, receiving } = await openStreamPair(line);
    const ends = [collect(initiating).ended, collect(receiving).ended];
    line.forwarder.die();
    expect(await Promise.all(ends)).toEqual(['XMPP_IDLE_TIMEOUT', 'XMPP_IDLE_TIMEOUT']);
  });

  test('[QT-05] a NAT rebinding at a round trip of more than a second is proved, though the client is silent', async () => {
    const delay = { delayMs: 600 };
    const limits = { handshakeTimeoutMs: 30_000 };
    await using line = await connectOver({ toServer: delay, toClient: delay }, { limits }, { limits });
    const { initiating, receiving } = await openStreamPair(line);
    const { stanzas } = collect(initiating);
    collect(receiving);
    const [before] = pathsOf(line.server);
    await line.forwarder.rebind();
    initiating.send('<message/>');
    const paths = pathsOf(line.server);
    for (let number = 0; number < 20; number++) receiving.send(`<message id='${number}'/>`);
    await expect.poll(() => paths.length, { timeout: 30_000 }).toBe(2);
    await expect.poll(() => stanzas.length, { timeout: 30_000 }).toBe(20);
    expect(paths[1]?.remote.port).not.toBe(before?.remote.port);
  }, 60_000);

  test('[QT-04] an observer sees another connection ID in each direction on the other path', async () => {
    await using line = await connectOver();
    const { initiating, receiving } = await openStreamPair(line);
    const { stanzas } = collect(receiving);
    collect(initiating);
    const seen = new Map<string, Set<string>>();
    line.forwarder.datagrams$.subscribe(({ type, direction, client, datagram }) => {
      const isShort = ((datagram[0] ?? 0) & 0x80) === 0;
      if (type !== 'received' || !isShort) return;
      const id = Buffer.from(datagram.subarray(1, 17)).toString('hex');
      const key = `${direction} ${client.address.port}`;
      seen.set(key, (seen.get(key) ?? new Set()).add(id));
    });
    for (let round = 0; round < 3; round++) {
      initiating.send('<message/>');
      await expect.poll(() => stanzas.length).toBe(round + 1);
      receiving.send('<message/>');
      await line.client.migrate({ localAddress: `127.0.0.${2 + round}` });
    }
    expect(seen.size).toBeGreaterThanOrEqual(8);
    const all = [...seen.values()].flatMap((ids) => [...ids]);
    expect(new Set(all).size).toBe(all.length);
  });
});
