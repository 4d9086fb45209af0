import type { EngineCloseError } from '../engine/port.ts';

/** How a connection came to its end, before it is put into words for the user. */
export type ConnectionEnd =
  | { readonly type: 'closed'; readonly by: 'local' | 'peer'; readonly error: EngineCloseError }
  | { readonly type: 'handshake-timeout' }
  | { readonly type: 'idle-timeout' }
  | { readonly type: 'stateless-reset' }
  | { readonly type: 'refused' }
  /** The peer has used up its byte budget. */
  | { readonly type: 'excessive-load' }
  | { readonly type: 'engine-failed'; readonly cause: unknown };
