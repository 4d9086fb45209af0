import { coreModule } from '@stanzaport/core';
import { tlsModule } from '@stanzaport/tls-shared';
import { DEFAULT_TLS_PORTS, directTlsModule, startTlsModule } from '@stanzaport/tls-transport';
import { Container } from 'inversify';

/** A server of one domain, for clients and for servers, with both ways to begin TLS. Its hub starts four listeners. */
export function server(folder: string, { host = '::', ports = DEFAULT_TLS_PORTS } = {}): Container {
  const listenOn = ({ c2s, s2s }: { c2s: number; s2s: number }) => [
    { host, port: c2s },
    { host, port: s2s, kinds: ['s2s' as const] },
  ];
  const container = new Container();
  container.load(
    coreModule(),
    tlsModule({
      credentials: [{ domain: 'capulet.example', cert: `${folder}/capulet.crt`, key: `${folder}/capulet.key` }],
    }),
    directTlsModule({ listen: listenOn(ports['direct-tls']), c2sClientCertificate: 'requested' }),
    startTlsModule({ listen: listenOn(ports.starttls), c2sClientCertificate: 'requested' }),
  );
  return container;
}
