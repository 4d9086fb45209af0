import { type ConformanceSetup, transportConformance } from '@stanzaport/testing';
import { describe, test } from 'vitest';
import { DEFAULT_QUIC_OPTIONS } from '../src/index.ts';
import { createQuicTransport, DOMAIN } from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';

/** Whose certificate the initiating server presents in s2s. */
const CLIENT_DOMAIN = 'montague.example';

/** Some cases open and close a hundred listeners, each of which lingers for its closing period (RFC 9000 §10.2). */
const CASE_TIMEOUT_MS = 100_000;

const setup: ConformanceSetup = {
  caseTimeoutMs: CASE_TIMEOUT_MS,
  capabilities: {
    streamsPerConnection: DEFAULT_QUIC_OPTIONS.maxC2sStreams,
    kinds: ['c2s', 's2s'],
    reset: true,
    provesDomain: true,
    bindsLocalAddresses: true,
    rawPeer: true,
    // The window of the stream, the chunk in front of the reader, and the chunk in the writer's hand.
    heldBytes: DEFAULT_QUIC_OPTIONS.streamWindowBytes + 2 * 65_536,
  },
  async create({ limits, logger }) {
    const server = await createQuicTransport({ limits, logger });
    const client = await createQuicTransport({ limits, logger, domains: [CLIENT_DOMAIN] });
    return {
      server,
      client,
      listenOptions: { host: '127.0.0.1' },
      domain: DOMAIN,
      target: ({ address, port }, domain, kind) => ({
        ...{ kind, domain, host: address, port },
        ...(kind === 's2s' ? { localDomain: CLIENT_DOMAIN } : {}),
      }),
      async openRaw({ address, port }, kind) {
        const alpn = [kind === 'c2s' ? 'xmpp-client' : 'xmpp-server'];
        const raw = await RawQuicClient.connect({ host: address, port, config: { alpn } });
        const bytes = raw.duplex(0);
        return { bytes, close: () => raw.stop() };
      },
      dispose: () => undefined,
    };
  },
};

describe('the QUIC transport passes the conformance kit', () => {
  for (const { requirement, title, skip, run } of transportConformance(setup)) {
    const reason = skip === undefined ? '' : ` (not offered: ${skip})`;
    test.skipIf(skip !== undefined)(
      `[${requirement}] ${title}${reason}`,
      ({ signal }) => run(signal),
      CASE_TIMEOUT_MS + 10_000,
    );
  }
});
