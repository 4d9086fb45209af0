import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { ConnectionIds } from './connection-ids.ts';
import { Endpoint } from './endpoint.ts';
import { ResetTokens } from './tokens.ts';
import type { UdpSocket } from './udp-socket.ts';

test('[TC-11] a datagram from source port 0 is counted and leads nowhere', async () => {
  const ids = new ConnectionIds<UdpSocket>(new ResetTokens(randomBytes(32)));
  const led: string[] = [];
  const endpoint = new Endpoint(ids, {
    onUnrouted: (_datagram, _address, port) => led.push(`door, from port ${port}`),
    onSocketError: () => undefined,
  });
  const socket = await endpoint.open({ host: '127.0.0.1', port: 0 });
  const { id } = ids.create();
  ids.add(id, { receive: (_datagram, _address, port) => led.push(`connection, from port ${port}`) });
  const known = Buffer.concat([Buffer.of(0x40), id, randomBytes(40)]);
  const unknown = Buffer.concat([Buffer.of(0x40), randomBytes(56)]);
  for (const port of [0, 5222]) {
    endpoint.onDatagram(known, '127.0.0.1', port, socket);
    endpoint.onDatagram(unknown, '127.0.0.1', port, socket);
  }
  expect(led).toEqual(['connection, from port 5222', 'door, from port 5222']);
  expect(endpoint.received).toBe(4);
  await endpoint.close();
});
