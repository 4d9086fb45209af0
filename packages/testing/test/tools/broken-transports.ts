import type { Connection, Listener, Transport } from '@stanzaport/core';
import { map } from 'rxjs';
import { afterEach } from 'vitest';
import { type ConformanceSetup, MemoryByteStream, memoryConformance, transportConformance } from '../../src/index.ts';

/** Runs one case and tells with what message it failed; 'passed' when it did not. */
export async function failureOf(setup: ConformanceSetup, title: string): Promise<string> {
  const found = transportConformance(setup).find((each) => each.title === title);
  if (found === undefined) throw new Error(`there is no case '${title}'`);
  try {
    await found.run();
    return 'passed';
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

/** The memory transport, with one method of its byte stream replaced until the test is over. */
const restores: (() => void)[] = [];
afterEach(() => {
  for (const restore of restores.splice(0)) restore();
});

export function breakBytes<Name extends '_write' | '_final' | 'push' | 'lose'>(
  name: Name,
  make: (original: MemoryByteStream[Name]) => MemoryByteStream[Name],
): ConformanceSetup {
  const descriptor = Object.getOwnPropertyDescriptor(MemoryByteStream.prototype, name);
  const original = MemoryByteStream.prototype[name];
  Object.defineProperty(MemoryByteStream.prototype, name, { value: make(original), configurable: true });
  restores.push(() => {
    if (descriptor === undefined) Reflect.deleteProperty(MemoryByteStream.prototype, name);
    else Object.defineProperty(MemoryByteStream.prototype, name, descriptor);
  });
  return memoryConformance;
}

/** The memory transport behind a wrapper. */
export function wrap(wrapServer: (server: Transport) => Transport, wrapClient = wrapServer): ConformanceSetup {
  return {
    ...memoryConformance,
    async create(options) {
      const pair = await memoryConformance.create(options);
      return { ...pair, server: wrapServer(pair.server), client: wrapClient(pair.client) };
    },
  };
}

export const same = (transport: Transport): Transport => transport;

export function withListen(transport: Transport, listen: (listener: Listener) => Listener): Transport {
  return {
    name: transport.name,
    listen: async (options) => listen(await transport.listen(options)),
    connect: (target, options) => transport.connect(target, options),
  };
}

export function withConnect(transport: Transport, connect: Transport['connect']): Transport {
  return { name: transport.name, listen: (options) => transport.listen(options), connect };
}

/** A listener whose members are replaced by those given. */
export function listenerLike(listener: Listener, replaced: Partial<Listener>): Listener {
  return {
    transport: listener.transport,
    address: listener.address,
    connections$: listener.connections$,
    close: (options) => listener.close(options),
    [Symbol.asyncDispose]: () => listener.close(),
    ...replaced,
  };
}

/** A connection whose members are replaced by those given. */
export function connectionLike(connection: Connection, replaced: Partial<Connection>): Connection {
  return new Proxy(connection, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in replaced ? replaced : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The memory transport whose clients, or servers, get each connection by way of `change`. */
export function changing(side: 'client' | 'server', change: (connection: Connection) => Connection): ConformanceSetup {
  if (side === 'client') {
    return wrap(same, (client) =>
      withConnect(client, async (target, options) => change(await client.connect(target, options))),
    );
  }
  return wrap(
    (server) =>
      withListen(server, (listener) =>
        listenerLike(listener, { connections$: listener.connections$.pipe(map(change)) }),
      ),
    same,
  );
}
