import type { EngineCloseError, EngineConnection } from '../engine/port.ts';

/** How a connection came to its end, before it is put into words for the user. */
export type ConnectionEnd =
  | { readonly type: 'closed'; readonly by: 'local' | 'peer'; readonly error: EngineCloseError }
  | { readonly type: 'handshake-timeout' }
  | { readonly type: 'idle-timeout' }
  | { readonly type: 'stateless-reset' }
  /** Every probe is answered, and by nothing that could be read. */
  | { readonly type: 'forgotten' }
  | { readonly type: 'refused' }
  /** The peer has used up its byte budget. */
  | { readonly type: 'excessive-load' }
  | { readonly type: 'engine-failed'; readonly cause: unknown };

/** Whether the end was of our making, so that the peer has to be told. */
export function isOurs(end: ConnectionEnd): boolean {
  return end.type === 'excessive-load' || (end.type === 'closed' && end.by === 'local');
}

/** What the engine tells about the end of a connection; null while it goes on. */
export function endOfEngine(
  engine: EngineConnection,
  { wasEstablished, closeWasSaid }: { readonly wasEstablished: boolean; readonly closeWasSaid: boolean },
): ConnectionEnd | null {
  if (!engine.draining && !engine.closed && !closeWasSaid && engine.localError === null) return null;
  const { peerError, localError } = engine;
  if (peerError !== null) return { type: 'closed', by: 'peer', error: peerError };
  if (localError !== null) return { type: 'closed', by: 'local', error: localError };
  if (engine.timedOut) return { type: wasEstablished ? 'idle-timeout' : 'handshake-timeout' };
  if (closeWasSaid) {
    return { type: 'closed', by: 'local', error: { application: true, code: 0, reason: new Uint8Array(0) } };
  }
  return { type: 'stateless-reset' };
}
