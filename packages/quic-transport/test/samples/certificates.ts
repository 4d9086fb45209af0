import { CREDENTIALS, type CredentialReload, type CredentialStore, tlsModule } from '@stanzaport/tls-shared';
import type { Container, ContainerModule } from 'inversify';

/** Two hosts on one port. Certificates that are renewed on disk are taken within seconds. */
export function certificates(folder: string): ContainerModule {
  return tlsModule({
    credentials: [
      { domain: 'capulet.example', cert: `${folder}/capulet.crt`, key: `${folder}/capulet.key` },
      { domain: '*.montague.example', cert: `${folder}/montague.crt`, key: `${folder}/montague.key` },
    ],
    watch: true,
  });
}

/** As daemons do: reads everything again on SIGHUP, and tells what came of it. */
export function reloadOnHangUp(container: Container, tell: (reload: CredentialReload) => void): () => void {
  const credentials = container.get<CredentialStore>(CREDENTIALS);
  const reload = (): void => credentials.reload().forEach(tell);
  process.on('SIGHUP', reload);
  return () => process.off('SIGHUP', reload);
}
