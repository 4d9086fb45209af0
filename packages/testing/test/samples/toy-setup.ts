import { once } from 'node:events';
import { connect } from 'node:net';
import { resolveLimits } from '@stanzaport/core';
import type { ConformanceSetup } from '@stanzaport/testing';
import { bytesOf, toyTransport } from './toy-transport.ts';

/** How the toy is given to the kit. */
export const toySetup: ConformanceSetup = {
  capabilities: {
    streamsPerConnection: 1,
    kinds: ['c2s'],
    reset: true,
    provesDomain: false,
    bindsLocalAddresses: true,
    rawPeer: true,
    // Mostly what the kernel holds for the two sockets, which it makes larger as it sees fit.
    heldBytes: 12 * 1_024 * 1_024,
  },
  create({ limits, logger }) {
    const transport = toyTransport(resolveLimits(limits), logger);
    return {
      server: transport,
      client: transport,
      listenOptions: { host: '127.0.0.1' },
      domain: 'capulet.example',
      target: ({ address, port }, domain, kind) => ({ kind, domain, host: address, port }),
      async openRaw({ address, port }) {
        const socket = connect({ host: address, port, allowHalfOpen: true });
        await once(socket, 'connect');
        return { bytes: bytesOf(socket), close: () => void socket.destroy() };
      },
      dispose: () => undefined,
    };
  },
};
