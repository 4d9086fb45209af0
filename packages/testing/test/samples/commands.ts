import assert from 'node:assert/strict';
import type { UdpForwarder } from '@stanzaport/testing';
import { filter, firstValueFrom } from 'rxjs';

/** Plays a hard day on a client that is connected through the forwarder; `exchange` asks it something and gets the answer. */
export async function hardDay(forwarder: UdpForwarder, exchange: () => Promise<void>): Promise<void> {
  await exchange();
  const [client] = forwarder.clients;
  assert.ok(client);

  // The NAT forgets the client, and gives it another port.
  const before = client.upstream;
  await forwarder.rebind();
  assert.notEqual(client.upstream?.port, before?.port);
  await exchange();

  // The client is seen elsewhere; what still goes to the old address arrives.
  await forwarder.rebind({ address: '127.0.0.3', keepOld: true });
  await exchange();

  // The next answer is dropped, and nothing else.
  forwarder.dropNext(1, ({ direction }) => direction === 'to-client');
  await exchange();

  // The path goes dead, silently, until something was swallowed.
  const swallowed = firstValueFrom(
    forwarder.datagrams$.pipe(filter((event) => event.type === 'discarded' && event.reason === 'dead')),
  );
  forwarder.die('to-client');
  const answered = exchange();
  await swallowed;
  forwarder.revive();
  await answered;

  // Answers are held, and then come all at once.
  forwarder.hold('to-client');
  const all = [exchange(), exchange(), exchange()];
  forwarder.release();
  await Promise.all(all);

  // From now on it is a bad line: 2 % lost, three in a row each time, behind a bottleneck of 1 MB/s.
  forwarder.toClient = { loss: 0.02, lossBurst: 3, bytesPerSecond: 1_000_000, queueBytes: 50_000 };
  await exchange();
}
