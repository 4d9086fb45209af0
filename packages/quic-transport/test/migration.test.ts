import dgram from 'node:dgram';
import { type Connection, isMigratable, type MigratableConnection, type NetworkPath } from '@stanzaport/core';
import { describe, expect, test, vi } from 'vitest';
import { NetworkWatch } from '../src/endpoint/network-watch.ts';
import { collect, connectPair, openStreamPair } from './tools/quic-pair.ts';

function migratable(connection: Connection): MigratableConnection {
  if (!isMigratable(connection)) throw new Error('this connection cannot migrate');
  return connection;
}

/** Every path a connection has told, in order. */
function pathsOf(connection: Connection): NetworkPath[] {
  const paths: NetworkPath[] = [];
  connection.path$.subscribe((path) => paths.push(path));
  return paths;
}

describe('migration of a client', () => {
  test('[Q-13] a connection moves to another local address, and its stream goes on', async () => {
    await using pair = await connectPair();
    const client = migratable(pair.client);
    const [clientPaths, serverPaths] = [pathsOf(pair.client), pathsOf(pair.server)];
    const { initiating, receiving } = await openStreamPair(pair);
    const arrived = collect(receiving);
    const echoed = collect(initiating);
    initiating.send('<message id="1"/>');
    const path = await client.migrate({ localAddress: '127.0.0.2' });
    expect(path.local.address).toBe('127.0.0.2');
    initiating.send('<message id="2"/>');
    await expect.poll(() => arrived.stanzas.length).toBe(2);
    receiving.send('<message id="3"/>');
    await expect.poll(() => echoed.stanzas.length).toBe(1);
    expect(clientPaths.map(({ local }) => local.address)).toEqual(['127.0.0.1', '127.0.0.2']);
    await expect.poll(() => serverPaths.map(({ remote }) => remote.address)).toEqual(['127.0.0.1', '127.0.0.2']);
  });

  test('[QT-04] twenty migrations of one connection, each with a fresh connection ID', async () => {
    await using pair = await connectPair();
    const client = migratable(pair.client);
    const serverPaths = pathsOf(pair.server);
    const { initiating, receiving } = await openStreamPair(pair);
    const arrived = collect(receiving);
    for (let turn = 0; turn < 20; turn++) {
      await client.migrate({ localAddress: `127.0.0.${2 + (turn % 5)}` });
      initiating.send(`<message id="${turn}"/>`);
      await expect.poll(() => arrived.stanzas.length).toBe(turn + 1);
      await expect.poll(() => serverPaths.length).toBe(turn + 2);
    }
  });

  test('[Q-13] three streams with a mebibyte each way go on while the local address changes', async () => {
    await using pair = await connectPair();
    const client = migratable(pair.client);
    const text = `<message><body>${'x'.repeat(1_000)}</body></message>`;
    const count = 1_049;
    const streams = [await openStreamPair(pair), await openStreamPair(pair), await openStreamPair(pair)];
    const ends = streams.flatMap(({ initiating, receiving }) => [initiating, receiving]);
    const collected = ends.map((stream) => collect(stream));
    const sending = ends.map(async (stream) => {
      for (let index = 0; index < count; index++) {
        if (!stream.send(text.replace('<message', `<message id='${index}'`))) await stream.drained();
      }
    });
    await client.migrate({ localAddress: '127.0.0.2' });
    await client.migrate({ localAddress: '127.0.0.3' });
    await Promise.all(sending);
    await expect
      .poll(() => collected.map(({ stanzas }) => stanzas.length), { timeout: 10_000 })
      .toEqual(ends.map(() => count));
    for (const { stanzas } of collected) {
      expect(stanzas.map((source) => Number(/id='(\d+)'/.exec(source)?.[1]))).toEqual([...Array(count).keys()]);
    }
    expect(pair.server.security.resumed).toBe(false);
  });

  test.each([
    ['XMPP_ADDRESS_UNAVAILABLE', '192.0.2.77'],
    ['XMPP_BAD_OPTION', '::1'],
    ['XMPP_BAD_OPTION', 'localhost'],
  ])('[TC-09] %s for the local address %s, and the connection stays where it was', async (code, localAddress) => {
    await using pair = await connectPair();
    const paths = pathsOf(pair.client);
    await expect(migratable(pair.client).migrate({ localAddress })).rejects.toMatchObject({ code });
    const { initiating, receiving } = await openStreamPair(pair);
    const { stanzas } = collect(receiving);
    initiating.send('<message/>');
    await expect.poll(() => stanzas.length).toBe(1);
    expect(paths).toHaveLength(1);
  });

  test('[TC-09] only the initiating entity migrates, and not after the end', async () => {
    await using pair = await connectPair();
    await expect(migratable(pair.server).migrate()).rejects.toMatchObject({ code: 'XMPP_INVALID_STATE' });
    await pair.client.close();
    await expect(migratable(pair.client).migrate()).rejects.toMatchObject({ code: 'XMPP_INVALID_STATE' });
  });

  test('[TC-14] a migration is called off', async () => {
    await using pair = await connectPair();
    const aborted = migratable(pair.client).migrate({ localAddress: '127.0.0.2', signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'XMPP_ABORTED' });
    expect(pathsOf(pair.client)).toHaveLength(1);
  });

  test('[TC-07] a connection that is aborted while it migrates ends, and the migration with it', async () => {
    await using pair = await connectPair();
    const migration = migratable(pair.client).migrate({ localAddress: '127.0.0.2' });
    pair.client.abort();
    await expect(migration).rejects.toMatchObject({ category: expect.stringMatching(/aborted|config/) });
    expect(await pair.client.closed).toMatchObject({ clean: false, error: { code: 'XMPP_ABORTED' } });
  });

  test('[Q-13] it moves by itself when its local address goes', async () => {
    let addresses = ['127.0.0.1', '192.0.2.1'];
    const networkWatch = new NetworkWatch(() => addresses);
    await using pair = await connectPair({}, { networkWatch });
    const paths = pathsOf(pair.client);
    addresses = ['192.0.2.1'];
    networkWatch.look();
    await expect.poll(() => paths.length).toBe(2);
    expect(paths[1]?.local.port).not.toBe(paths[0]?.local.port);
    const { initiating, receiving } = await openStreamPair(pair);
    const { stanzas } = collect(receiving);
    initiating.send('<message/>');
    await expect.poll(() => stanzas.length).toBe(1);
  });

  test('[Q-13] it does not move by itself where it is told not to', async () => {
    const networkWatch = new NetworkWatch(() => ['127.0.0.1']);
    const watch = vi.spyOn(networkWatch, 'watch');
    await using pair = await connectPair({}, { networkWatch, options: { migration: 'on-demand' } });
    expect(watch).not.toHaveBeenCalled();
    const path = await migratable(pair.client).migrate();
    expect(path.local.address).toBe('127.0.0.1');
  });

  test('[Q-13] it moves by itself when sending fails for want of a network', async () => {
    await using pair = await connectPair();
    const paths = pathsOf(pair.client);
    const { initiating, receiving } = await openStreamPair(pair);
    const { stanzas } = collect(receiving);
    const dead = paths[0]?.local.port;
    const { send } = dgram.Socket.prototype;
    // A network cannot be taken away here without taking it from all; what the system says then is known.
    const broken = vi.spyOn(dgram.Socket.prototype, 'send').mockImplementation(function (
      this: dgram.Socket,
      ...args: unknown[]
    ) {
      if (this.address().port === dead) throw Object.assign(new Error('no network'), { code: 'ENETUNREACH' });
      Reflect.apply(send, this, args);
    });
    initiating.send('<message/>');
    await expect.poll(() => paths.length).toBe(2);
    await expect.poll(() => stanzas.length).toBe(1);
    broken.mockRestore();
  });

  test('[Q-13] an address the system never listed is not gone when others change', async () => {
    let addresses = ['127.0.0.1'];
    const networkWatch = new NetworkWatch(() => addresses);
    await using pair = await connectPair({}, { networkWatch });
    await migratable(pair.client).migrate({ localAddress: '127.0.0.2' });
    const paths = pathsOf(pair.client);
    addresses = ['127.0.0.1', '192.0.2.1'];
    networkWatch.look();
    addresses = ['192.0.2.1'];
    networkWatch.look();
    const { initiating, receiving } = await openStreamPair(pair);
    const { stanzas } = collect(receiving);
    initiating.send('<message/>');
    await expect.poll(() => stanzas.length).toBe(1);
    expect(paths).toHaveLength(1);
  });

  test('[TC-14] one that waits for another to end is called off at once', async () => {
    await using pair = await connectPair();
    const client = migratable(pair.client);
    const controller = new AbortController();
    const first = client.migrate({ localAddress: '127.0.0.2' });
    const second = client.migrate({ localAddress: '127.0.0.3', signal: controller.signal });
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: 'XMPP_ABORTED' });
    expect((await first).local.address).toBe('127.0.0.2');
    expect((await client.migrate({ localAddress: '127.0.0.4' })).local.address).toBe('127.0.0.4');
  });
});
