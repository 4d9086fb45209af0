import 'reflect-metadata';
import { coreModule, type Logger, TransportHub } from '@stanzaport/core';
import { Container, type ContainerModule } from 'inversify';
import { chatServerModule } from './module.ts';
import type { AccountStore } from './server/accounts.ts';
import { ChatServer } from './server/chat-server.ts';
import type { Remote } from './server/federation/remote.ts';

/** What a running server needs to know. */
export interface ServerProgramOptions {
  readonly transports: readonly ContainerModule[];
  readonly accounts: AccountStore;
  /** Where the servers of other domains are, by domain in A-labels. @defaultValue nobody is found */
  readonly remotes?: ReadonlyMap<string, Remote>;
  readonly logger?: Logger;
}

/** A chat server that listens. */
export interface ServerProgram extends AsyncDisposable {
  readonly hub: TransportHub;
  readonly chat: ChatServer;
  /** Ends every stream with `system-shutdown`, then releases what listens. */
  stop(): Promise<void>;
}

/** @throws TransportError when a transport cannot listen. */
export async function startServer({
  transports,
  accounts,
  remotes = new Map(),
  logger,
}: ServerProgramOptions): Promise<ServerProgram> {
  const container = new Container();
  container.load(
    coreModule(logger === undefined ? {} : { logger }),
    ...transports,
    chatServerModule(accounts, remotes),
  );
  const hub = container.get(TransportHub);
  const chat = container.get(ChatServer);
  const stop = async (): Promise<void> => {
    await chat.stop();
    await hub.stop();
  };
  chat.start();
  await hub.start();
  return { hub, chat, stop, [Symbol.asyncDispose]: stop };
}
