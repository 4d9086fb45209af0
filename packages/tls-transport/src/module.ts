import { LIMITS, type Limits, LOGGER, type Logger, TRANSPORT, type TransportRegistration } from '@stanzaport/core';
import { CERTIFICATE_POLICY, type CertificatePolicy, CREDENTIALS, type CredentialStore } from '@stanzaport/tls-shared';
import { ContainerModule } from 'inversify';
import type { TlsTransportModuleOptions } from './options.ts';
import { DirectTlsTransport, StartTlsTransport } from './tls-transport.ts';

/** Binds {@link DirectTlsTransport} as a transport of the hub. Needs `coreModule` and `tlsModule` in the same container. */
export function directTlsModule(options: TlsTransportModuleOptions = {}): ContainerModule {
  return moduleOf(DirectTlsTransport, options);
}

/** Binds {@link StartTlsTransport} as a transport of the hub. Needs `coreModule` and `tlsModule` in the same container. */
export function startTlsModule(options: TlsTransportModuleOptions = {}): ContainerModule {
  return moduleOf(StartTlsTransport, options);
}

function moduleOf(
  TransportClass: typeof DirectTlsTransport | typeof StartTlsTransport,
  { listen = [], ...options }: TlsTransportModuleOptions,
): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(TransportClass)
      .toResolvedValue(
        (credentials: CredentialStore, policy: CertificatePolicy, limits: Limits, logger: Logger) =>
          new TransportClass({ credentials, policy, limits, logger }, options),
        [CREDENTIALS, CERTIFICATE_POLICY, LIMITS, LOGGER],
      )
      .inSingletonScope();
    bind<TransportRegistration>(TRANSPORT)
      .toResolvedValue((transport: DirectTlsTransport | StartTlsTransport) => ({ transport, listen }), [TransportClass])
      .inSingletonScope();
  });
}
