import { createSecureContext, TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { serve } from './tools/scripted-server.ts';
import { createTransport, DOMAIN, issue } from './tools/transports.ts';

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  '[TC-05] a stream on which nothing was said is closed without waiting for anybody, %s',
  async (maxVersion) => {
    const { cert, key } = await issue(DOMAIN);
    const secureContext = createSecureContext({ cert, key, maxVersion });
    await using server = await serve(async (tcp) => {
      const tls = new TLSSocket(tcp, { isServer: true, secureContext });
      tls.on('error', () => undefined).resume();
      tls.on('end', () => tls.end());
    });
    // Longer than a test may take.
    const limits = { closeTimeoutMs: 600_000 };
    const { transport } = await createTransport({ upgrade: 'direct-tls', domains: [], limits });
    const target = { kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port: server.port } as const;
    const connection = await transport.connect(target);
    expect(connection.security.tlsVersion).toBe(maxVersion);
    const stream = await connection.openStream();
    await stream.close();
    expect(await stream.closed).toMatchObject({ clean: true });
    await connection.close();
  },
);
