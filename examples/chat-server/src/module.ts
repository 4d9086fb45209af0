import { LOGGER, type Logger, TransportHub } from '@stanzaport/core';
import { ContainerModule } from 'inversify';
import type { AccountStore } from './server/accounts.ts';
import { ChatServer } from './server/chat-server.ts';

/** Binds {@link ChatServer} to the streams of whatever transports the container has. */
export function chatServerModule(accounts: AccountStore): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(ChatServer)
      .toResolvedValue(
        (hub: TransportHub, logger: Logger) => new ChatServer({ streams$: hub.streams$, accounts, logger }),
        [TransportHub, LOGGER],
      )
      .inSingletonScope();
  });
}
