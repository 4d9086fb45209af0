import { ContainerModule } from 'inversify';
import { type Limits, resolveLimits } from './limits.ts';
import { type Logger, silentLogger } from './logger.ts';
import { LIMITS, LOGGER, TRANSPORT, type TransportRegistration } from './tokens.ts';
import { TransportHub } from './transport-hub.ts';

/** What an application may say to the core. */
export interface CoreOptions {
  /** A pino logger. @defaultValue nothing is logged */
  readonly logger?: Logger;
  /** Limits of every transport; what is left out keeps its default. */
  readonly limits?: Partial<Limits>;
}

/**
 * Binds {@link LOGGER}, {@link LIMITS} and {@link TransportHub}. Load it once, beside the module of each transport.
 * @throws TransportError `XMPP_BAD_OPTION` for limits that cannot be.
 */
export function coreModule({ logger = silentLogger, limits = {} }: CoreOptions = {}): ContainerModule {
  const resolved = resolveLimits(limits);
  return new ContainerModule(({ bind }) => {
    bind<Logger>(LOGGER).toConstantValue(logger);
    bind<Limits>(LIMITS).toConstantValue(resolved);
    bind(TransportHub)
      .toResolvedValue(
        (registrations: TransportRegistration[], log: Logger) => new TransportHub(registrations, log),
        [{ serviceIdentifier: TRANSPORT, isMultiple: true }, LOGGER],
      )
      .inSingletonScope()
      .onDeactivation((hub) => hub.stop());
  });
}
