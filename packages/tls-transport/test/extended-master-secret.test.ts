import { createSecureContext, TLSSocket } from 'node:tls';
import { silentLogger } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { hasExtendedMasterSecret } from '../src/extended-master-secret.ts';
import { proceed } from './tools/clear-text.ts';
import { listenersOf } from './tools/listening.ts';
import { serve } from './tools/scripted-server.ts';
import { secured } from './tools/secured.ts';
import { createTransport, DOMAIN, issue } from './tools/transports.ts';

/** SSL_OP_NO_EXTENDED_MASTER_SECRET of OpenSSL 3. */
const WITHOUT_IT = 1;

describe.each(['direct-tls', 'starttls'] as const)('TLS 1.2 of %s (RFC 7627)', (upgrade) => {
  const listen = listenersOf(upgrade);

  test('[POL-01] with a client that can, the master secret is extended', async () => {
    const listener = await listen();
    const accepted = firstValueFrom(listener.connections$);
    const tls = await secured(listener, { maxVersion: 'TLSv1.2' });
    expect(hasExtendedMasterSecret(tls)).toBe(true);
    expect((await accepted).security.tlsVersion).toBe('TLSv1.2');
    tls.destroy();
  });

  test('[POL-01] a client that cannot is let go within its handshake', async () => {
    const reasons: unknown[] = [];
    const debug = (fields: object | string): unknown => reasons.push(fields);
    const listener = await listen(['c2s'], { logger: { ...silentLogger, debug } });
    const dialing = secured(listener, { maxVersion: 'TLSv1.2', secureOptions: WITHOUT_IT });
    await expect(dialing).rejects.toThrow();
    expect(listener.counters.failedHandshakes).toBe(1);
    expect(reasons).toEqual([expect.objectContaining({ reason: expect.stringMatching(/master secret/) })]);
  });

  test.each([
    ['that can is good', 0],
    ['that cannot is refused', WITHOUT_IT],
  ])('[POL-01] a server %s', async (_title, secureOptions) => {
    const { cert, key } = await issue(DOMAIN);
    const secureContext = createSecureContext({ cert, key, maxVersion: 'TLSv1.2', secureOptions });
    await using server = await serve(async (tcp) => {
      if (upgrade === 'starttls') await proceed(tcp);
      new TLSSocket(tcp, { isServer: true, secureContext }).on('error', () => undefined).resume();
    });
    const { transport } = await createTransport({ upgrade, domains: [] });
    const connecting = transport.connect({ kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port: server.port });
    if (secureOptions === 0) {
      const connection = await connecting;
      expect(connection.security.channelBindings).toContain('tls-exporter');
      connection.abort();
    } else {
      const refused = { category: 'tls', alert: 40, message: expect.stringMatching(/master secret/) };
      await expect(connecting).rejects.toMatchObject(refused);
    }
  });
});
