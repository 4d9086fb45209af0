import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { UdpForwarder } from '@stanzaport/testing';

// The server under test; this one sends back what comes.
const server = createSocket('udp4', (datagram, from) => server.send(datagram, from.port, from.address));
await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));

await using forwarder = await UdpForwarder.open({
  target: server.address(),
  seed: 7,
  toServer: { loss: 0.1 },
  toClient: { delayMs: 20, reorder: 0.1, duplicate: 0.05 },
});

// The client under test; it is told the forwarder's address instead of the server's.
const client = createSocket('udp4');
client.send('hail', forwarder.address.port, forwarder.address.address);
const [answer] = await once(client, 'message');
assert.equal(String(answer), 'hail');

const { toServer, toClient } = forwarder.counters;
assert.equal(toServer.sent, 1);
assert.equal(toClient.waiting, 0);

client.close();
server.close();
