import dgram from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { UdpSocket } from './udp-socket.ts';

test('[TC-11] a datagram that cannot be addressed is an error for the handler; the socket goes on', async () => {
  const errors: NodeJS.ErrnoException[] = [];
  const handler = { onDatagram: () => undefined, onError: (error: NodeJS.ErrnoException) => errors.push(error) };
  const socket = await UdpSocket.open({ host: '127.0.0.1', port: 0 }, handler);
  const receiver = dgram.createSocket('udp4');
  receiver.bind(0, '127.0.0.1');
  await once(receiver, 'listening');
  const received = once(receiver, 'message');
  // Source port 0 of a datagram, which RFC 768 allows, is no port to send to.
  expect(socket.send(Buffer.from('answer'), '127.0.0.1', 0)).toBe(true);
  expect(errors).toMatchObject([{ code: 'ERR_SOCKET_BAD_PORT' }]);
  socket.send(Buffer.from('next'), '127.0.0.1', receiver.address().port);
  expect(String((await received)[0])).toBe('next');
  receiver.close();
  await socket.close();
});

test('[TC-01] a port that is shared with other processes can be had once in this one, and again when it is free', async () => {
  const handler = { onDatagram: () => undefined, onError: () => undefined };
  const probe = await UdpSocket.open({ host: '127.0.0.1', port: 0 }, handler);
  const { port } = probe.address;
  await probe.close();
  const options = { host: '127.0.0.1', port, sharing: 'reuse-port' } as const;
  const first = await UdpSocket.open(options, handler);
  await expect(UdpSocket.open(options, handler)).rejects.toMatchObject({ code: 'XMPP_ADDRESS_IN_USE' });
  await first.close();
  await (await UdpSocket.open(options, handler)).close();
});
