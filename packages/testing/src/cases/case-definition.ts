import type { Limits } from '@stanzaport/core';
import type { ConformanceSetup, TransportCapabilities } from '../conformance-setup.ts';
import type { Scene } from './harness.ts';

interface CaseName {
  readonly requirement: string;
  readonly title: string;
  /** The reason why a transport of these capabilities need not pass, or null. */
  readonly skipFor?: (capabilities: TransportCapabilities) => string | null;
}

/** How a case is written down. Most are played on a {@link Scene}; a few make their own, one after another. */
export type CaseDefinition = CaseName &
  (
    | { readonly limits?: Partial<Limits>; run(scene: Scene): Promise<void>; readonly runAlone?: undefined }
    | { runAlone(setup: ConformanceSetup, signal: AbortSignal): Promise<void>; readonly run?: undefined }
  );

/** The case needs several streams in one connection. */
export function needsManyStreams({ streamsPerConnection }: TransportCapabilities): string | null {
  return streamsPerConnection > 1 ? null : 'a connection has one stream only';
}

/** The case sends bytes that no stanza stream would send. */
export function needsRawPeer({ rawPeer }: TransportCapabilities): string | null {
  return rawPeer ? null : 'the setup has no raw peer';
}
