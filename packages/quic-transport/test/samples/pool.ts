import type { StanzaStream, StreamPool } from '@stanzaport/core';
import { QUIC_STREAM_POOL } from '@stanzaport/quic-transport';
import type { Container } from 'inversify';

/** A stream from one of our domains to another server's: on a connection that stands, if both certificates allow it. */
export async function federate(
  container: Container,
  { from, to, host, port }: { from: string; to: string; host: string; port: number },
): Promise<StanzaStream> {
  const pool = container.get<StreamPool>(QUIC_STREAM_POOL);
  const stream = await pool.openStream(
    { kind: 's2s', localDomain: from, domain: to, host, port },
    { urgency: 2, signal: AbortSignal.timeout(30_000) },
  );
  stream.sendHeader({ from, to });
  return stream;
}
