import type { ListenOptions } from '@stanzaport/core';
import { quicTransportModule } from '@stanzaport/quic-transport';
import { type CredentialOptions, type TlsOptions, tlsModule } from '@stanzaport/tls-shared';
import { directTlsModule, startTlsModule } from '@stanzaport/tls-transport';
import type { ContainerModule } from 'inversify';

export type TransportName = 'quic' | 'direct-tls' | 'starttls';

/** How to bind a transport. */
interface Binding {
  readonly socket: 'udp' | 'tcp';
  readonly module: (options?: { readonly listen: readonly ListenOptions[] }) => ContainerModule;
}

/** What this program can carry XMPP over. To add a transport, add it here; nothing else in the program knows. */
const TRANSPORTS: Readonly<Record<TransportName, Binding>> = Object.freeze({
  quic: { socket: 'udp', module: quicTransportModule },
  'direct-tls': { socket: 'tcp', module: directTlsModule },
  starttls: { socket: 'tcp', module: startTlsModule },
});

export const TRANSPORT_NAMES: readonly TransportName[] = Object.freeze(Object.keys(TRANSPORTS) as TransportName[]);

/** One listener of one transport. */
export interface ListenerOptions extends ListenOptions {
  readonly transport: TransportName;
}

/** What the server's transports have to know. */
export interface ServerTransportOptions {
  readonly credentials: readonly CredentialOptions[];
  readonly listen: readonly ListenerOptions[];
  /** Whom other servers' certificates have to come from. @defaultValue `'system'` */
  readonly trust?: NonNullable<TlsOptions['trust']>;
}

/** Every transport, each with the listeners meant for it; one without any only connects. */
export function serverTransports({ credentials, listen, trust = 'system' }: ServerTransportOptions): ContainerModule[] {
  const modules = TRANSPORT_NAMES.map((name) =>
    TRANSPORTS[name].module({ listen: listen.filter(({ transport }) => transport === name).map(withoutName) }),
  );
  return [tlsModule({ credentials, trust }), ...modules];
}

/** The same transports for a client, which listens nowhere and trusts `anchor`, PEM. */
export function clientTransports(anchor: string): ContainerModule[] {
  return [tlsModule({ trust: [anchor] }), ...TRANSPORT_NAMES.map((name) => TRANSPORTS[name].module())];
}

/** Listeners with the same kind of socket cannot share an address and port. */
export function socketOf(name: TransportName): 'udp' | 'tcp' {
  return TRANSPORTS[name].socket;
}

function withoutName({ transport: _, ...options }: ListenerOptions): ListenOptions {
  return options;
}
