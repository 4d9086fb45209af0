import { LIMITS, type Limits, type ListenOptions, LOGGER, type Logger, TRANSPORT } from '@stanzaport/core';
import { ContainerModule } from 'inversify';
import { toyTransport } from './toy-transport.ts';

/** Binds the toy for `TransportHub`, which starts a listener for each entry of `listen`; it needs `coreModule`. */
export function toyTransportModule(listen: readonly ListenOptions[] = []): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(TRANSPORT)
      .toResolvedValue(
        (limits: Limits, logger: Logger) => ({ transport: toyTransport(limits, logger), listen }),
        [LIMITS, LOGGER],
      )
      .inSingletonScope();
  });
}
