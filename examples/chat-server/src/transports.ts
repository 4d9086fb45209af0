import { quicTransportModule } from '@stanzaport/quic-transport';
import { type CredentialOptions, tlsModule } from '@stanzaport/tls-shared';
import type { ContainerModule } from 'inversify';

/** What the server's transports have to know. */
export interface ServerTransportOptions {
  readonly credentials: readonly CredentialOptions[];
  readonly host: string;
  readonly port: number;
}

/** The server's transports. To swap or add one, change this list; nothing else in the program knows. */
export function serverTransports({ credentials, host, port }: ServerTransportOptions): ContainerModule[] {
  return [tlsModule({ credentials }), quicTransportModule({ listen: [{ host, port }] })];
}

/** The same transports for a client, which listens nowhere and trusts `anchor`, PEM. */
export function clientTransports(anchor: string): ContainerModule[] {
  return [tlsModule({ trust: [anchor] }), quicTransportModule()];
}
