import { LIMITS, type Limits, type ListenOptions, LOGGER, type Logger, TRANSPORT } from '@stanzaport/core';
import { ContainerModule } from 'inversify';
import { MemoryTransport, type MemoryTransportOptions } from './memory-transport.ts';

/** What {@link memoryTransportModule} binds; limits and logger are the container's where none are given. */
export interface MemoryModuleOptions extends MemoryTransportOptions {
  /** Listeners that the hub starts. @defaultValue none */
  readonly listen?: readonly ListenOptions[];
}

/** Binds a {@link MemoryTransport} for `TransportHub`; it needs `coreModule`. */
export function memoryTransportModule({ listen = [], ...options }: MemoryModuleOptions = {}): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(TRANSPORT)
      .toResolvedValue(
        (limits: Limits, logger: Logger) => ({
          transport: new MemoryTransport({ limits, logger, ...options }),
          listen,
        }),
        [LIMITS, LOGGER],
      )
      .inSingletonScope();
  });
}
