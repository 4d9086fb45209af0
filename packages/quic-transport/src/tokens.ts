import type { Token } from '@stanzaport/core';
import type { Engine } from './engine/port.ts';

/** {@link Engine}: the QUIC engine under the transport. */
export const QUIC_ENGINE: Token<Engine> = Symbol.for('@stanzaport/quic-engine');
