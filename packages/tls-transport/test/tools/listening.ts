import type { ConnectionKind } from '@stanzaport/core';
import { afterEach } from 'vitest';
import type { TlsListener, Upgrade } from '../../src/index.ts';
import { createTransport, type TransportSetup } from './transports.ts';

/** Starts a listener for one test. */
export type Listen = (
  kinds?: readonly ConnectionKind[],
  setup?: Omit<TransportSetup, 'upgrade'>,
) => Promise<TlsListener>;

/** Listeners of one upgrade; each is closed when its test is over. */
export function listenersOf(upgrade: Upgrade): Listen {
  const listeners: TlsListener[] = [];
  afterEach(async () => {
    await Promise.all(listeners.splice(0).map((listener) => listener.close({ drainMs: 0 })));
  });
  return async (kinds = ['c2s'], setup = {}) => {
    const { transport } = await createTransport({ upgrade, ...setup });
    const listener = await transport.listen({ host: '127.0.0.1', port: 0, kinds });
    listeners.push(listener);
    return listener;
  };
}
