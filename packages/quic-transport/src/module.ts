import { LIMITS, type Limits, LOGGER, type Logger, TRANSPORT, type TransportRegistration } from '@stanzaport/core';
import { CERTIFICATE_POLICY, type CertificatePolicy, CREDENTIALS, type CredentialStore } from '@stanzaport/tls-shared';
import { ContainerModule } from 'inversify';
import type { Engine } from './engine/port.ts';
import { QuicheEngine } from './engine/quiche.ts';
import type { QuicModuleOptions } from './options.ts';
import { QuicTransport } from './quic-transport.ts';
import { QUIC_ENGINE } from './tokens.ts';

/**
 * Binds {@link QuicTransport} as a transport of the hub. Needs `coreModule` and `tlsModule` in the same container.
 * Rebind {@link QUIC_ENGINE} to run on another engine.
 */
export function quicTransportModule({ listen = [], ...options }: QuicModuleOptions = {}): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind<Engine>(QUIC_ENGINE)
      .toResolvedValue(() => new QuicheEngine())
      .inSingletonScope();
    bind(QuicTransport)
      .toResolvedValue(
        (engine: Engine, credentials: CredentialStore, policy: CertificatePolicy, limits: Limits, logger: Logger) =>
          new QuicTransport({ engine, credentials, policy, limits, logger }, options),
        [QUIC_ENGINE, CREDENTIALS, CERTIFICATE_POLICY, LIMITS, LOGGER],
      )
      .inSingletonScope();
    bind<TransportRegistration>(TRANSPORT)
      .toResolvedValue((transport: QuicTransport) => ({ transport, listen }), [QuicTransport])
      .inSingletonScope();
  });
}
