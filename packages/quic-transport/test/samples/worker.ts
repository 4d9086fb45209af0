import { quicTransportModule } from '@stanzaport/quic-transport';
import type { ContainerModule } from 'inversify';

/** In each worker: the same ports as the others, and a number of its own. */
export function quicOfWorker(listen: readonly { readonly host: string; readonly port: number }[]): ContainerModule {
  return quicTransportModule({
    listen,
    workers: { number: Number(process.env.WORKER_NUMBER), folder: process.env.WORKER_FOLDER ?? '/run/xmpp' },
  });
}
