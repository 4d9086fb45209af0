import { LIMITS, type Limits, LOGGER, type Logger, StreamPool, TransportHub } from '@stanzaport/core';
import { provesLocalDomain } from '@stanzaport/tls-shared';
import { ContainerModule } from 'inversify';
import type { AccountStore } from './server/accounts.ts';
import { ChatServer } from './server/chat-server.ts';
import { Federation } from './server/federation/federation.ts';
import type { Remote } from './server/federation/remote.ts';

/** Binds {@link ChatServer} to the streams of whatever transports the container has. */
export function chatServerModule(accounts: AccountStore, remotes: ReadonlyMap<string, Remote>): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(Federation)
      .toResolvedValue(
        (hub: TransportHub, logger: Logger) => {
          const poolOf = (name: string): StreamPool =>
            new StreamPool(hub.transport(name), { provesLocalDomain, logger });
          return new Federation({ remotes, poolOf, logger });
        },
        [TransportHub, LOGGER],
      )
      .inSingletonScope();
    bind(ChatServer)
      .toResolvedValue(
        (hub: TransportHub, federation: Federation, limits: Limits, logger: Logger) =>
          new ChatServer({ streams$: hub.streams$, accounts, federation, limits, logger }),
        [TransportHub, Federation, LIMITS, LOGGER],
      )
      .inSingletonScope();
  });
}
