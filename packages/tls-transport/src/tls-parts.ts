import type { Limits, Logger } from '@stanzaport/core';
import type { CertificatePolicy, CredentialStore } from '@stanzaport/tls-shared';
import type { TlsTransportOptions } from './options.ts';
import { SecureContexts } from './secure-contexts.ts';

/** How TLS begins: at once, or agreed upon in clear text before. */
export type Upgrade = 'direct-tls' | 'starttls';

/** What a transport over TLS is given. */
export interface TlsDependencies {
  readonly credentials: CredentialStore;
  readonly policy: CertificatePolicy;
  readonly limits: Limits;
  readonly logger: Logger;
}

/** Everything the listeners and connections of one transport share. */
export class TlsParts implements TlsDependencies {
  readonly upgrade: Upgrade;
  readonly credentials: CredentialStore;
  readonly policy: CertificatePolicy;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly options: TlsTransportOptions;
  readonly contexts: SecureContexts = new SecureContexts();

  constructor(upgrade: Upgrade, dependencies: TlsDependencies, options: TlsTransportOptions) {
    this.upgrade = upgrade;
    this.credentials = dependencies.credentials;
    this.policy = dependencies.policy;
    this.limits = dependencies.limits;
    this.logger = dependencies.logger;
    this.options = options;
  }
}
