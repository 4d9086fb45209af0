import { type ConformanceSetup, transportConformance } from '@stanzaport/testing';
import { describe, test } from 'vitest';
import type { Upgrade } from '../src/index.ts';
import { startTls } from './tools/clear-text.ts';
import { connectRaw, RawTlsPeer, secureRaw } from './tools/raw-tls.ts';
import { createTransport, DOMAIN, OTHER_DOMAIN } from './tools/transports.ts';

const setupOf = (upgrade: Upgrade): ConformanceSetup => ({
  capabilities: {
    streamsPerConnection: 1,
    kinds: ['c2s', 's2s'],
    reset: true,
    provesDomain: true,
    bindsLocalAddresses: true,
    rawPeer: true,
    // Mostly what the kernel holds for the two sockets, which it makes larger as it sees fit.
    heldBytes: 12 * 1_024 * 1_024,
  },
  async create({ limits, logger }) {
    const { transport: server } = await createTransport({ upgrade, limits, logger });
    const { transport: client } = await createTransport({ upgrade, limits, logger, domains: [OTHER_DOMAIN] });
    return {
      server,
      client,
      listenOptions: { host: '127.0.0.1' },
      domain: DOMAIN,
      target: ({ address, port }, domain, kind) => ({
        ...{ kind, domain, host: address, port },
        ...(kind === 's2s' ? { localDomain: OTHER_DOMAIN } : {}),
      }),
      async openRaw({ port }, kind) {
        const tcp = await connectRaw(port);
        if (upgrade === 'starttls') await startTls(tcp, kind);
        const ALPNProtocols = [kind === 'c2s' ? 'xmpp-client' : 'xmpp-server'];
        return new RawTlsPeer(await secureRaw(tcp, { servername: DOMAIN, ALPNProtocols }), tcp);
      },
      dispose: () => undefined,
    };
  },
});

describe.each(['direct-tls', 'starttls'] as const)('%s passes the conformance kit', (upgrade) => {
  for (const { requirement, title, skip, run } of transportConformance(setupOf(upgrade))) {
    const reason = skip === undefined ? '' : ` (not offered: ${skip})`;
    test.skipIf(skip !== undefined)(`[${requirement}] ${title}${reason}`, ({ signal }) => run(signal));
  }
});
