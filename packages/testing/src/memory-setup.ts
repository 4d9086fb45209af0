import { type IdentityQuestion, type PeerVerdict, TransportError } from '@stanzaport/core';
import type { ConformanceSetup } from './conformance-setup.ts';
import { createMemoryLink } from './memory-link.ts';
import { MemoryNetwork } from './memory-network.ts';
import { MemoryTransport } from './memory-transport.ts';

const DOMAIN = 'capulet.example';
const WINDOW_BYTES = 65_536;
const MAX_STREAMS = 100;

/** TLS AlertDescription bad_certificate (RFC 8446 §6.2). */
const BAD_CERTIFICATE = 42;

/**
 * How the memory transport is given to the kit, and the model of how any transport is:
 * `transportConformance(memoryConformance)`.
 */
export const memoryConformance: ConformanceSetup = {
  capabilities: {
    streamsPerConnection: MAX_STREAMS,
    kinds: ['c2s', 's2s'],
    reset: true,
    provesDomain: true,
    bindsLocalAddresses: false,
    rawPeer: true,
    // The window, the piece that overfills it, and the piece in the writer's hand.
    heldBytes: WINDOW_BYTES + 2 * 16_384,
  },
  create({ limits, logger }) {
    const network = new MemoryNetwork();
    const options = { network, limits, logger, verify, windowBytes: WINDOW_BYTES, maxStreams: MAX_STREAMS };
    return {
      server: new MemoryTransport(options),
      client: new MemoryTransport(options),
      listenOptions: {},
      domain: DOMAIN,
      target: ({ port }, domain, kind) => ({ kind, domain, port }),
      async openRaw({ port }, kind) {
        const [link, theirs] = createMemoryLink({ windowBytes: WINDOW_BYTES, maxStreams: MAX_STREAMS });
        const remote = { family: 'IPv6', address: '::1', port: network.nextPort() } as const;
        network.dial(port, { kind, sni: DOMAIN, remote, link: theirs });
        const bytes = link.open();
        if (bytes === null) throw new TransportError('XMPP_LIMIT_EXCEEDED', 'the listener grants no stream');
        return { bytes, close: () => link.end('with-error') };
      },
      dispose: () => undefined,
    };
  },
};

function verify({ domain }: IdentityQuestion): PeerVerdict {
  if (domain === DOMAIN) return { verified: true, domain, matched: `dns:${DOMAIN}`, expiresAtMs: Date.UTC(2100, 0) };
  const detail = `the peer is ${DOMAIN}, not ${domain}`;
  return { verified: false, domain, reason: 'name-mismatch', alert: BAD_CERTIFICATE, detail };
}
