import {
  LIMITS,
  type Limits,
  LOGGER,
  type Logger,
  StreamPool,
  TRANSPORT,
  type TransportRegistration,
} from '@stanzaport/core';
import {
  CERTIFICATE_POLICY,
  type CertificatePolicy,
  CREDENTIALS,
  type CredentialStore,
  provesLocalDomain,
} from '@stanzaport/tls-shared';
import { ContainerModule } from 'inversify';
import type { Engine } from './engine/port.ts';
import { QuicheEngine } from './engine/quiche.ts';
import type { QuicModuleOptions } from './options.ts';
import { QuicTransport } from './quic-transport.ts';
import { QUIC_ENGINE, QUIC_STREAM_POOL } from './tokens.ts';

/**
 * Binds {@link QuicTransport} as a transport of the hub, and {@link QUIC_STREAM_POOL} upon it. Needs `coreModule` and `tlsModule` in the same container.
 * Rebind {@link QUIC_ENGINE} to run on another engine.
 */
export function quicTransportModule({ listen = [], pool = {}, ...options }: QuicModuleOptions = {}): ContainerModule {
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
    bind<StreamPool>(QUIC_STREAM_POOL)
      .toResolvedValue(
        (transport: QuicTransport, logger: Logger) => new StreamPool(transport, { ...pool, provesLocalDomain, logger }),
        [QuicTransport, LOGGER],
      )
      .inSingletonScope()
      .onDeactivation((bound) => bound.close());
  });
}
