import { TransportError } from '@stanzaport/core';
import { filter, firstValueFrom, take, toArray } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import { type DatagramEvent, type FaultPlan, UdpForwarder, type UdpForwarderOptions } from '../src/index.ts';
import { UdpEndpoint } from './tools/udp-endpoint.ts';

const disposables: AsyncDisposable[] = [];

afterEach(async () => {
  for (const disposable of disposables.splice(0).reverse()) await disposable[Symbol.asyncDispose]();
});

function kept<T extends AsyncDisposable>(disposable: T): T {
  disposables.push(disposable);
  return disposable;
}

interface Scene {
  readonly server: UdpEndpoint;
  readonly client: UdpEndpoint;
  readonly forwarder: UdpForwarder;
}

/** A server that echoes, a client, and the forwarder between them. */
async function open(options: Partial<UdpForwarderOptions> = {}, host = '127.0.0.1'): Promise<Scene> {
  const server = kept(await UdpEndpoint.echo(host));
  const client = kept(await UdpEndpoint.open(host));
  const forwarder = kept(await UdpForwarder.open({ target: server.address, ...options }));
  return { server, client, forwarder };
}

/** The next event of a kind; subscribe before what brings it about. */
function next(forwarder: UdpForwarder, ...of: [DatagramEvent['type'], string]): Promise<DatagramEvent> {
  return firstValueFrom(
    forwarder.datagrams$.pipe(filter(({ type, direction }) => type === of[0] && direction === of[1])),
  );
}

/** Sends and waits until the forwarder has seen it, so that no kernel drops any of a burst. */
async function deliver({ client, forwarder }: Scene, count: number, make: (index: number) => string): Promise<void> {
  const batch = 50;
  for (let first = 0; first < count; first += batch) {
    const size = Math.min(batch, count - first);
    const seen = firstValueFrom(
      forwarder.datagrams$.pipe(
        filter(({ type, direction }) => type === 'received' && direction === 'to-server'),
        take(size),
        toArray(),
      ),
    );
    for (let index = first; index < first + size; index++) client.send(make(index), forwarder.address);
    await seen;
  }
}

describe('a plan', () => {
  test.each(['127.0.0.1', '::1'])('[QT-19] without faults carries both ways over %s, clients apart', async (host) => {
    const { server, client, forwarder } = await open({}, host);
    const other = kept(await UdpEndpoint.open(host));
    client.send('one', forwarder.address);
    other.send('two', forwarder.address);
    expect((await client.received(1)).text).toBe('one');
    expect((await other.received(1)).text).toBe('two');
    expect(client.arrived[0]?.from).toMatchObject(forwarder.address);
    expect(forwarder.clients.map(({ address }) => address)).toEqual([client.address, other.address]);
    expect(new Set(server.arrived.map(({ from }) => from.port))).toEqual(
      new Set(forwarder.clients.map(({ upstream }) => upstream?.port)),
    );
    expect(forwarder.counters.toServer).toMatchObject({ received: 2, sent: 2, receivedBytes: 6, sentBytes: 6 });
    expect(forwarder.counters.toClient).toMatchObject({ received: 2, sent: 2, waiting: 0, refused: 0 });
  });

  test('[QT-19] joins families: an IPv6 client and a server bound to all IPv4 addresses', async () => {
    const server = kept(await UdpEndpoint.echo('0.0.0.0'));
    const client = kept(await UdpEndpoint.open('::1'));
    const forwarder = kept(await UdpForwarder.open({ target: server.address, listen: { host: '::1' } }));
    client.send('hail', forwarder.address);
    expect((await client.received(1)).text).toBe('hail');
    expect(server.arrived[0]?.from.address).toBe('127.0.0.1');
  });

  test('[QT-19] of loss takes exactly the same datagrams with the same seed', async () => {
    const survivors = async (seed: number): Promise<string[]> => {
      const scene = await open({ seed, toServer: { loss: 0.02 } });
      scene.server.answer = null;
      await deliver(scene, 20_000, String);
      const { sent, lost } = scene.forwarder.counters.toServer;
      expect(sent + lost).toBe(20_000);
      await scene.server.received(sent);
      return scene.server.texts;
    };
    const first = await survivors(7);
    expect(first).toHaveLength(19_620);
    expect(await survivors(7)).toEqual(first);
    expect(await survivors(8)).not.toEqual(first);
  });

  test('[QT-19] has each direction and each client use dice of its own', async () => {
    const plan = { loss: 0.5 };
    const lost = async (chatter: boolean): Promise<string[]> => {
      const { server, client, forwarder } = await open({ seed: 3, toServer: plan, toClient: plan });
      const other = kept(await UdpEndpoint.open());
      server.answer = null;
      const told: string[] = [];
      forwarder.datagrams$.subscribe((event) => {
        if (event.type === 'discarded' && event.client === forwarder.clients[0]) told.push(String(event.datagram));
      });
      for (let index = 0; index < 100; index++) {
        const seen = next(forwarder, 'received', 'to-server');
        client.send(`${index}`, forwarder.address);
        await seen;
        if (!chatter) continue;
        const seenToo = next(forwarder, 'received', 'to-server');
        other.send('x', forwarder.address);
        await seenToo;
      }
      return told;
    };
    expect(await lost(true)).toEqual(await lost(false));
  });

  test('[QT-19] of everything at once loses count of nothing', async () => {
    const plan: Partial<FaultPlan> = { loss: 0.05, duplicate: 0.02, corrupt: 0.01, reorder: 0.1, jitterMs: 2 };
    const scene = await open({ seed: 7, toServer: { ...plan, delayMs: 1, reorderWaitMs: 5 } });
    const { server, forwarder } = scene;
    server.answer = null;
    await deliver(scene, 2_000, (index) => `datagram ${index}`);
    const { received, lost, duplicated, corrupted, reordered } = forwarder.counters.toServer;
    expect({ received, lost, duplicated, corrupted, reordered }).toEqual({
      received: 2_000,
      lost: 110,
      duplicated: 30,
      corrupted: 24,
      reordered: 195,
    });
    await server.received(received - lost + duplicated);
    expect(forwarder.counters.toServer).toMatchObject({ sent: server.arrived.length, waiting: 0 });
    const intact = server.texts.filter((text) => /^datagram \d+$/.test(text));
    const numbers = intact.map((text) => Number(text.slice(9)));
    expect(numbers).not.toEqual(numbers.toSorted((one, other) => one - other));
    expect(new Set(numbers).size).toBeLessThan(numbers.length);
    expect(intact.length).toBeLessThan(server.texts.length);
  });

  test('[QT-19] can be exchanged while running, and is checked', async () => {
    const { client, forwarder } = await open({ toServer: { loss: 1 } });
    const discarded = next(forwarder, 'discarded', 'to-server');
    client.send('lost', forwarder.address);
    expect(await discarded).toMatchObject({ reason: 'lost' });
    forwarder.toServer = { duplicate: 1 };
    expect(forwarder.toServer).toMatchObject({ loss: 0, duplicate: 1 });
    expect(() => {
      forwarder.toServer = { loss: 2 };
    }).toThrow(TransportError);
    client.send('twice', forwarder.address);
    await client.received(2);
    expect(client.texts).toEqual(['twice', 'twice']);
  });
});

describe('commands', () => {
  test('[QT-05] rebind gives another port; the server sees it, and its answers arrive', async () => {
    const { server, client, forwarder } = await open();
    const [ports, addresses]: [number[], string[]] = [[], []];
    for (let round = 1; round <= 4; round++) {
      client.send(`round ${round}`, forwarder.address);
      await client.received(round);
      const { from } = await server.received(round);
      expect(forwarder.clients[0]?.upstream).toMatchObject({ address: from.address, port: from.port });
      ports.push(from.port);
      addresses.push(from.address);
      await forwarder.rebind(round === 2 ? { address: '127.0.0.3' } : {});
    }
    expect(new Set(ports).size).toBe(4);
    expect(addresses).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.3', '127.0.0.3']);
    expect(forwarder.clients).toHaveLength(1);
    expect(client.arrived.every(({ from }) => from.port === forwarder.address.port)).toBe(true);
  });

  test('[QT-05] what comes late at the old port is carried if that is kept, and nowhere otherwise', async () => {
    const { server, client, forwarder } = await open();
    server.answer = null;
    client.send('hail', forwarder.address);
    const first = await server.received(1);
    await forwarder.rebind({ keepOld: true });
    server.send('late', first.from);
    expect((await client.received(1)).text).toBe('late');
    client.send('again', forwarder.address);
    const second = await server.received(2);
    expect(second.from.port).not.toBe(first.from.port);
    await forwarder.rebind();
    server.send('too late', second.from);
    client.send('and again', forwarder.address);
    server.send('in time', (await server.received(3)).from);
    await client.received(2);
    expect(client.texts).toEqual(['late', 'in time']);
  });

  test('[QT-05] what is on its way at a rebinding leaves from the old port if that is kept', async () => {
    const { server, client, forwarder } = await open();
    client.send('one', forwarder.address);
    const { from } = await server.received(1);
    for (const keepOld of [true, false]) {
      forwarder.hold('to-server');
      const seen = next(forwarder, 'received', 'to-server');
      client.send('held', forwarder.address);
      await seen;
      const before = server.arrived.length;
      await forwarder.rebind({ keepOld });
      forwarder.release();
      const { port } = (await server.received(before + 1)).from;
      if (keepOld) expect(port).toBe(from.port);
      else expect(port).toBe(forwarder.clients[0]?.upstream?.port);
    }
  });

  test('[TC-09] a rebinding to an address of another host is an error, and all goes on as before', async () => {
    const { client, forwarder } = await open();
    client.send('one', forwarder.address);
    await client.received(1);
    const before = forwarder.clients[0]?.upstream;
    const rebinding = forwarder.rebind({ address: '198.51.100.1' });
    await expect(rebinding).rejects.toMatchObject({ code: 'XMPP_ADDRESS_UNAVAILABLE' });
    client.send('two', forwarder.address);
    await client.received(2);
    expect(forwarder.clients[0]?.upstream).toEqual(before);
  });

  test('[QT-05] dead in one direction, dead in both, alive again', async () => {
    const { server, client, forwarder } = await open();
    forwarder.die('to-client');
    let gone = next(forwarder, 'discarded', 'to-client');
    client.send('one', forwarder.address);
    expect(await gone).toMatchObject({ reason: 'dead', datagram: Buffer.from('one') });
    forwarder.die();
    gone = next(forwarder, 'discarded', 'to-server');
    client.send('two', forwarder.address);
    expect(await gone).toMatchObject({ reason: 'dead' });
    forwarder.revive();
    client.send('three', forwarder.address);
    await client.received(1);
    expect(server.texts).toEqual(['one', 'three']);
    expect(client.texts).toEqual(['three']);
  });

  test('[QT-05] the old path of a client that moves can die alone', async () => {
    const { client, forwarder } = await open();
    client.send('here', forwarder.address);
    await client.received(1);
    const [old] = forwarder.clients;
    old?.die();
    const moved = kept(await UdpEndpoint.open('127.0.0.2', client.address.port));
    moved.send('there', forwarder.address);
    expect((await moved.received(1)).text).toBe('there');
    const gone = next(forwarder, 'discarded', 'to-server');
    client.send('here', forwarder.address);
    expect(await gone).toMatchObject({ reason: 'dead', client: old });
    old?.revive();
    client.send('here again', forwarder.address);
    expect((await client.received(2)).text).toBe('here again');
    expect(forwarder.clients).toHaveLength(2);
  });

  test('[QT-19] dropNext and dropNth take the very datagrams that are meant', async () => {
    const scene = await open();
    const { server, forwarder } = scene;
    server.answer = null;
    forwarder.dropNth(3);
    forwarder.dropNth(5);
    forwarder.dropNext(2, ({ direction, datagram }) => direction === 'to-server' && String(datagram).endsWith('7'));
    forwarder.dropNext(2, ({ direction }) => direction === 'to-client');
    await deliver(scene, 30, String);
    expect(forwarder.counters.toServer).toMatchObject({ received: 30, dropped: 4, sent: 26 });
    await server.received(26);
    const expected = Array.from({ length: 30 }, (_, index) => String(index));
    expect(server.texts).toEqual(expected.filter((text) => !['2', '4', '7', '17'].includes(text)));
  });

  test('[QT-19] hold keeps one direction, and release lets it go in order', async () => {
    const scene = await open();
    const { server, client, forwarder } = scene;
    forwarder.hold('to-client');
    await deliver(scene, 10, String);
    await server.received(10);
    await expect.poll(() => forwarder.counters.toClient).toMatchObject({ waiting: 10, sent: 0 });
    forwarder.release();
    await client.received(10);
    expect(client.texts).toEqual(server.texts);
  });
});

describe('life', () => {
  test('[TC-08] close lets go of sockets and timer, completes datagrams$, and may be called twice', async () => {
    await expect.poll(openSockets).toBe(0);
    const server = await UdpEndpoint.echo();
    const client = await UdpEndpoint.open();
    const forwarder = await UdpForwarder.open({ target: server.address, toClient: { delayMs: 60_000 } });
    const all = firstValueFrom(forwarder.datagrams$.pipe(toArray()));
    const seen = next(forwarder, 'received', 'to-client');
    client.send('never answered', forwarder.address);
    await seen;
    await forwarder.rebind({ keepOld: true });
    expect(forwarder.counters.toClient.waiting).toBe(1);
    expect(openSockets()).toBe(5);
    await Promise.all([forwarder.close(), forwarder.close()]);
    await Promise.all([server[Symbol.asyncDispose](), client[Symbol.asyncDispose]()]);
    expect((await all).map(({ type, direction }) => `${type} ${direction}`)).toEqual([
      'received to-server',
      'sent to-server',
      'received to-client',
    ]);
    await expect.poll(openSockets).toBe(0);
    await forwarder.rebind();
    await expect.poll(openSockets).toBe(0);
  });

  test('[TC-09] options that can never work are config errors', async () => {
    const target = { address: '127.0.0.1', port: 9 };
    for (const options of [
      { target: { address: 'capulet.example', port: 9 } },
      { target: { address: '127.0.0.1', port: 0 } },
      { target, listen: { port: 65_536 } },
      { target, upstreamHost: '::1' },
      { target, seed: 0.5 },
      { target, toClient: { loss: 2 } },
    ]) {
      await expect(UdpForwarder.open(options)).rejects.toMatchObject({ code: 'XMPP_BAD_OPTION' });
    }
    const { forwarder } = await open();
    const inUse = UdpForwarder.open({ target, listen: { port: forwarder.address.port } });
    await expect(inUse).rejects.toMatchObject({ code: 'XMPP_ADDRESS_IN_USE' });
  });
});

/** The runner has none of its own. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length;
}
