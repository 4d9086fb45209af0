import { once } from 'node:events';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { listenersOf } from './tools/listening.ts';
import { alertFor, secured } from './tools/secured.ts';

describe.each(['direct-tls', 'starttls'] as const)('TLS of %s', (upgrade) => {
  const listen = listenersOf(upgrade);

  test('[POL-01] a client of TLS 1.1 at most gets protocol_version', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    expect(await alertFor(await listen(), old)).toBe(70);
  });

  test.each(['AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA384'])(
    '[POL-01] a client of TLS 1.2 with %s only gets handshake_failure',
    async (ciphers) => {
      expect(await alertFor(await listen(), { maxVersion: 'TLSv1.2', ciphers })).toBe(40);
    },
  );

  test('[POL-01] TLS 1.3 is preferred, 1.2 is taken', async () => {
    const listener = await listen();
    for (const [maxVersion, expected] of [
      ['TLSv1.3', 'TLSv1.3'],
      ['TLSv1.2', 'TLSv1.2'],
    ] as const) {
      const tls = await secured(listener, { maxVersion });
      expect(tls.getProtocol()).toBe(expected);
      tls.destroy();
    }
  });

  test('[POL-01] renegotiation is refused, and ends the connection', async () => {
    const listener = await listen();
    const accepted = firstValueFrom(listener.connections$);
    const tls = await secured(listener, { maxVersion: 'TLSv1.2' });
    const connection = await accepted;
    const failed = once(tls, 'error');
    tls.renegotiate({}, () => undefined);
    await expect(failed).resolves.toMatchObject([{ code: 'ERR_SSL_NO_RENEGOTIATION' }]);
    await connection.closed;
  });
});
