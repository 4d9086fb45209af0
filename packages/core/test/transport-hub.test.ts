import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { type Connection, silentLogger, TransportHub } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { expect, test } from 'vitest';
import { TcpTransport } from './tools/tcp-transport.ts';

const hubAt = (port: number): TransportHub =>
  new TransportHub([{ transport: new TcpTransport(), listen: [{ port }] }], silentLogger);

test('[TC-01] a hub that could not start can start once the port is free', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  await using hub = hubAt(port);
  const first = hub.start();
  expect(hub.start()).toBe(first);
  await expect(first).rejects.toMatchObject({ code: 'XMPP_ADDRESS_IN_USE' });
  await new Promise((resolve) => holder.close(resolve));
  await hub.start();
  await hub.start();
  expect(hub.listeners.map(({ address }) => address.port)).toEqual([port]);
});

test('[TC-07] a hub stopped while it fails to start is stopped', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  const hub = hubAt(port);
  const starting = hub.start();
  const stopping = hub.stop();
  await expect(starting).rejects.toMatchObject({ code: 'XMPP_ADDRESS_IN_USE' });
  await stopping;
  await expect(hub.start()).rejects.toMatchObject({ code: 'XMPP_INVALID_STATE' });
  await new Promise((resolve) => holder.close(resolve));
});

test('[TC-08] connections that end before anyone subscribes to the hub are not kept', async () => {
  const transport = new TcpTransport();
  await using hub = new TransportHub([{ transport, listen: [{ port: 0 }] }], silentLogger);
  await hub.start();
  const port = hub.listeners[0]?.address.port ?? 0;
  // One after the other: the transport has seen the first one end before the second one comes.
  const sockets = [];
  for (let count = 0; count < 2; count++) {
    const accepted = firstValueFrom(transport.accepted$);
    const socket = connect({ port, host: '127.0.0.1' });
    const connection = await accepted;
    if (count === 0) {
      socket.destroy();
      await connection.closed;
    }
    sockets.push({ socket, id: connection.id });
  }
  const seen: Connection[] = [];
  hub.connections$.subscribe((connection) => seen.push(connection));
  expect(seen.map(({ id }) => id)).toEqual([sockets[1]?.id]);
  sockets[1]?.socket.destroy();
});
