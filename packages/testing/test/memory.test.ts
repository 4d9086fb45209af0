import { describe, test } from 'vitest';
import {
  type ConformanceSetup,
  MemoryNetwork,
  MemoryTransport,
  memoryConformance,
  transportConformance,
} from '../src/index.ts';

/** What a TLS connection offers: one stream, and no peer that could be made by hand. */
const oneStreamEach: ConformanceSetup = {
  capabilities: { ...memoryConformance.capabilities, streamsPerConnection: 1, rawPeer: false, provesDomain: false },
  create({ limits, logger }) {
    const transport = new MemoryTransport({ network: new MemoryNetwork(), limits, logger, maxStreams: 1 });
    return {
      server: transport,
      client: transport,
      listenOptions: { host: '127.0.0.1' },
      domain: 'xn--bcher-kva.example',
      target: ({ port }, domain, kind) => ({ kind, domain, port }),
      dispose: () => undefined,
    };
  },
};

describe.each([
  { setup: memoryConformance, name: 'the memory transport' },
  { setup: oneStreamEach, name: 'the memory transport with one stream a connection' },
])('$name passes the conformance kit', ({ setup }) => {
  for (const { requirement, title, skip, run } of transportConformance(setup)) {
    const reason = skip === undefined ? '' : ` (not offered: ${skip})`;
    test.skipIf(skip !== undefined)(`[${requirement}] ${title}${reason}`, ({ signal }) => run(signal));
  }
});
