import type { StreamPool, Token } from '@stanzaport/core';
import type { Engine } from './engine/port.ts';

/** {@link Engine}: the QUIC engine under the transport. */
export const QUIC_ENGINE: Token<Engine> = Symbol.for('@stanzaport/quic-engine');
/** {@link StreamPool}: shares the connections of the QUIC transport. */
export const QUIC_STREAM_POOL: Token<StreamPool> = Symbol.for('@stanzaport/quic-stream-pool');
