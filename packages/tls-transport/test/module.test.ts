import 'reflect-metadata';
import { coreModule, TransportHub } from '@stanzaport/core';
import { tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { describe, expect, test } from 'vitest';
import { DirectTlsTransport, directTlsModule, StartTlsTransport, startTlsModule } from '../src/index.ts';
import { createTransport, DOMAIN, issue, targetOf, testCa } from './tools/transports.ts';

describe('modules', () => {
  test('[TC-15] both are transports of one hub, which starts and stops their listeners', async () => {
    const container = new Container();
    const listen = [{ host: '127.0.0.1', port: 0 }];
    container.load(
      coreModule(),
      tlsModule({ credentials: [await issue(DOMAIN)], trust: [(await testCa()).rootPem] }),
      directTlsModule({ listen }),
      startTlsModule({ listen }),
    );
    const hub = container.get(TransportHub);
    await hub.start();
    expect(hub.listeners.map(({ transport }) => transport).sort()).toEqual(['direct-tls', 'starttls']);
    for (const { transport, address } of hub.listeners) {
      const client = container.get(transport === 'starttls' ? StartTlsTransport : DirectTlsTransport);
      const connection = await client.connect(targetOf(address));
      expect(connection.transport).toBe(transport);
      connection.abort();
    }
    await hub.stop();
  });

  test.each([
    [{ maxConnections: 0 }, 'maxConnections'],
    [{ maxConnectionsPerAddress: 1.5 }, 'maxConnectionsPerAddress'],
    [{ keepAliveMs: -1 }, 'keepAliveMs'],
    [{ s2sClientCertificate: 'maybe' as 'none' }, 's2sClientCertificate'],
    [{ c2sClientCertificate: 'required' as 'none' }, 'c2sClientCertificate'],
    [{ defaultDomain: 'a b' }, 'defaultDomain'],
    [{ nonsense: 1 } as object, 'nonsense'],
  ])('[TC-09] option %o is refused by its name', async (options, name) => {
    await expect(createTransport({ upgrade: 'direct-tls', options })).rejects.toMatchObject({
      code: 'XMPP_BAD_OPTION',
      message: expect.stringContaining(`direct-tls.${name}`),
    });
  });

  test('[TC-09] a listener needs a credential, an address, and a default domain that is served', async () => {
    const listen = { host: '127.0.0.1', port: 0 };
    const bare = await createTransport({ upgrade: 'starttls', domains: [] });
    await expect(bare.transport.listen(listen)).rejects.toMatchObject({ category: 'config' });
    const { transport } = await createTransport({
      upgrade: 'direct-tls',
      options: { defaultDomain: 'verona.example' },
    });
    await expect(transport.listen(listen)).rejects.toMatchObject({ category: 'config' });
    await expect(transport.listen({ ...listen, host: 'localhost' })).rejects.toMatchObject({ category: 'config' });
    await expect(transport.listen({ ...listen, kinds: [] })).rejects.toMatchObject({ category: 'config' });
  });

  test('[TC-09] what is connected to has to be a kind, a domain, a port, and ours to present', async () => {
    const { transport } = await createTransport({ upgrade: 'starttls' });
    const target = { kind: 'c2s', domain: DOMAIN, host: '127.0.0.1' } as const;
    for (const bad of [
      { ...target, kind: 'x2x' as 'c2s' },
      { ...target, domain: 'a b' },
      { ...target, port: 0 },
      { ...target, kind: 's2s' as const, localDomain: 'verona.example' },
    ]) {
      await expect(transport.connect(bad)).rejects.toMatchObject({ category: 'config' });
    }
    await expect(transport.connect({ ...target, host: 'nobody.invalid' })).rejects.toMatchObject({ category: 'dns' });
  });
});
