import { LOGGER, type Logger } from '@stanzaport/core';
import { ContainerModule } from 'inversify';
import { CertificatePolicy, type CertificatePolicyOptions } from './certificate-policy.ts';
import { type CredentialOptions, CredentialStore } from './credentials.ts';
import { CERTIFICATE_POLICY, CREDENTIALS } from './tokens.ts';

/** What an application says about certificates: its own, and those of its peers. */
export interface TlsOptions extends CertificatePolicyOptions {
  /** @defaultValue none: nothing can be listened for */
  readonly credentials?: readonly CredentialOptions[];
}

/**
 * Binds {@link CREDENTIALS} and {@link CERTIFICATE_POLICY} for every transport. Needs `coreModule` beside it. Files
 * are read when the first listener starts, or a server connects to another; a bad one rejects `listen` or `connect`, as
 * {@link CredentialStore} tells.
 */
export function tlsModule(options: TlsOptions = {}): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind<CredentialStore>(CREDENTIALS)
      .toResolvedValue((logger: Logger) => new CredentialStore(options.credentials, logger, 'on-first-use'), [LOGGER])
      .inSingletonScope();
    bind<CertificatePolicy>(CERTIFICATE_POLICY)
      .toResolvedValue((logger: Logger) => new CertificatePolicy(options, logger), [LOGGER])
      .inSingletonScope();
  });
}
