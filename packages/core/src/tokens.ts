import type { Limits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { ListenOptions, Transport } from './transport.ts';

/** A transport with the listeners that {@link TransportHub} starts for it. */
export interface TransportRegistration {
  readonly transport: Transport;
  readonly listen: readonly ListenOptions[];
}

/** Names one injectable and its type. */
export type Token<T> = symbol & { readonly __type?: T };

/** {@link Logger}: bound by `coreModule`. */
export const LOGGER: Token<Logger> = Symbol.for('@stanzaport/logger');
/** {@link Limits}: bound by `coreModule`. */
export const LIMITS: Token<Limits> = Symbol.for('@stanzaport/limits');
/** {@link TransportRegistration}, any number: each transport's module binds one. */
export const TRANSPORT: Token<TransportRegistration> = Symbol.for('@stanzaport/transport');
