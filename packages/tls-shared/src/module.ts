import { LOGGER, type Logger } from '@stanzaport/core';
import { ContainerModule } from 'inversify';
import { CertificatePolicy, type CertificatePolicyOptions } from './certificate-policy.ts';
import type { CredentialOptions } from './credential.ts';
import { type CredentialWatchOptions, resolveWatch } from './credential-watch.ts';
import { CredentialStore } from './credentials.ts';
import { CERTIFICATE_POLICY, CREDENTIALS } from './tokens.ts';

/** What an application says about certificates: its own, and those of its peers. */
export interface TlsOptions extends CertificatePolicyOptions {
  /** @defaultValue none: nothing can be listened for */
  readonly credentials?: readonly CredentialOptions[];
  /**
   * Whether files of credentials that change are read again, for all handshakes from then on. What cannot be used is
   * logged at `warn`, and the credential in force stays. Never keeps the process alive; ends when the binding of
   * {@link CREDENTIALS} is deactivated. @defaultValue false: only {@link CredentialStore.reload} reads them again
   */
  readonly watch?: boolean | CredentialWatchOptions;
}

/**
 * Binds {@link CREDENTIALS} and {@link CERTIFICATE_POLICY} for every transport. Needs `coreModule` beside it. Files
 * are read when the first listener starts, or a server connects to another; a bad one rejects `listen` or `connect`, as
 * {@link CredentialStore} tells.
 * @throws TransportError `XMPP_BAD_OPTION` for an interval of watching that cannot be.
 */
export function tlsModule(options: TlsOptions = {}): ContainerModule {
  const watch = resolveWatch(options.watch ?? false) ?? false;
  return new ContainerModule(({ bind }) => {
    bind<CredentialStore>(CREDENTIALS)
      .toResolvedValue(
        (logger: Logger) => new CredentialStore(options.credentials, logger, { reads: 'on-first-use', watch }),
        [LOGGER],
      )
      .inSingletonScope()
      .onDeactivation((credentials) => credentials.close());
    bind<CertificatePolicy>(CERTIFICATE_POLICY)
      .toResolvedValue((logger: Logger) => new CertificatePolicy(options, logger), [LOGGER])
      .inSingletonScope();
  });
}
