import 'reflect-metadata';
import { coreModule, type StanzaStream, TransportHub } from '@stanzaport/core';
import { Container } from 'inversify';
import { firstValueFrom } from 'rxjs';
import { expect, test } from 'vitest';
import { collect, MemoryNetwork, MemoryTransport, memoryTransportModule } from '../src/index.ts';

test('[TC-15] bound in a container, the hub starts the memory listener, serves its streams, and stops with it', async () => {
  const network = new MemoryNetwork();
  const container = new Container();
  await container.load(coreModule(), memoryTransportModule({ network, listen: [{ port: 5222 }] }));
  const hub = container.get(TransportHub);
  const served: StanzaStream[] = [];
  hub.streams$.subscribe((stream) => {
    served.push(stream);
    stream.events$.subscribe((event) => {
      if (event.type === 'header') {
        stream.sendHeader();
        stream.markAuthenticated();
      } else if (event.type === 'stanza') {
        stream.send(event.stanza);
      }
    });
  });
  await hub.start();
  expect(hub.listeners.map(({ address }) => address)).toEqual([{ family: 'IPv6', address: '::', port: 5222 }]);
  expect(hub.transport('memory')).toBeInstanceOf(MemoryTransport);

  const client = new MemoryTransport({ network });
  const connection = await client.connect({ kind: 'c2s', domain: 'capulet.example' });
  const stream = await connection.openStream();
  stream.sendHeader({ to: 'capulet.example' });
  const echo = firstValueFrom(stream.stanzas$);
  stream.send("<message to='romeo@montague.example'/>");
  expect((await echo).source).toBe("<message to='romeo@montague.example'/>");

  const rest = collect(stream.events$).ended;
  await container.unbindAllAsync();
  expect(await rest).toEqual({ type: 'complete' });
  expect(await connection.closed).toEqual({ clean: true, by: 'peer', error: null });
  expect(served).toHaveLength(1);
});
