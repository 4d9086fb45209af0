import 'reflect-metadata';
import { type CloseReason, coreModule, TransportHub } from '@stanzaport/core';
import { Container, type ContainerModule } from 'inversify';
import { expect, test } from 'vitest';
import { MemoryNetwork, MemoryTransport, memoryTransportModule } from '../src/index.ts';

async function hubOf(...modules: readonly ContainerModule[]): Promise<TransportHub> {
  const container = new Container();
  await container.load(coreModule(), ...modules);
  return container.get(TransportHub);
}

const listening = (network: MemoryNetwork, ...ports: readonly number[]): ContainerModule =>
  memoryTransportModule({ network, listen: ports.map((port) => ({ port })) });

async function openAt(network: MemoryNetwork, port: number): Promise<void> {
  const connection = await new MemoryTransport({ network }).connect({ kind: 'c2s', domain: 'capulet.example', port });
  const stream = await connection.openStream();
  stream.sendHeader({ to: 'capulet.example' });
  // Without a consumer the closing tag of the server would never be read.
  stream.events$.subscribe();
}

test('streams of every listener of every bound transport come out of one hub', async () => {
  const networks = [new MemoryNetwork(), new MemoryNetwork()] as const;
  await using hub = await hubOf(listening(networks[0], 5222, 5223), listening(networks[1], 443));
  const ports: number[] = [];
  hub.streams$.subscribe((stream) => {
    stream.connection.path$.subscribe(({ local }) => ports.push(local.port));
  });
  await hub.start();
  await Promise.all([openAt(networks[0], 5222), openAt(networks[0], 5223), openAt(networks[1], 443)]);
  await expect.poll(() => [...ports].sort()).toEqual([443, 5222, 5223]);
});

test('with no transport bound a hub starts and stops all the same', async () => {
  const hub = await hubOf();
  await hub.start();
  expect(hub.listeners).toEqual([]);
  await hub.stop();
});

test('[TC-01] when one listener cannot start, the error is its own and the others are closed again', async () => {
  const network = new MemoryNetwork();
  await using taken = await hubOf(listening(network, 5223));
  await taken.start();
  await using hub = await hubOf(listening(network, 5222, 5223));
  await expect(hub.start()).rejects.toMatchObject({ category: 'config', code: 'XMPP_ADDRESS_IN_USE' });
  expect(hub.listeners).toEqual([]);
  await using free = await hubOf(listening(network, 5222));
  await free.start();
  expect(free.listeners).toHaveLength(1);
});

test('[TC-09] a hub says which transports are bound, and cannot be started again', async () => {
  const hub = await hubOf(listening(new MemoryNetwork(), 5222));
  expect(() => hub.transport('quic')).toThrow("no transport 'quic' is bound (bound: memory)");
  await hub.start();
  await hub.stop();
  await hub.stop();
  await expect(hub.start()).rejects.toMatchObject({ code: 'XMPP_INVALID_STATE' });
});

test('[TC-11] a stream whose handler throws or rejects ends with internal-server-error; the next ones are handled', async () => {
  const network = new MemoryNetwork();
  await using hub = await hubOf(listening(network, 5222));
  const ends: Promise<CloseReason>[] = [];
  hub.streams$.subscribe((stream) => {
    ends.push(stream.closed);
    if (ends.length === 1) throw new Error('a fault of the handler');
    return Promise.reject(new Error('a fault of the handler'));
  });
  await hub.start();
  await openAt(network, 5222);
  await openAt(network, 5222);
  await expect.poll(() => ends.length).toBe(2);
  for (const reason of await Promise.all(ends)) {
    expect(reason).toMatchObject({ clean: false, by: 'local', error: { condition: 'internal-server-error' } });
  }
});
