// The server as a program of its own:
//   node dist/main.js <config file>
//   CHAT_ACCOUNTS='juliet@capulet.example:password,...' says who may log in.
import { TransportError } from '@stanzaport/core';
import { pino } from 'pino';
import { ConfigError } from './config/config-error.ts';
import { readConfig } from './config/config-file.ts';
import { AccountStore } from './server/accounts.ts';
import { startServer } from './server-program.ts';
import { serverTransports } from './transports.ts';

const [path] = process.argv.slice(2);
if (path === undefined) fail(2, 'usage: main.js <config file, such as config/all.json>');

try {
  const config = readConfig(path);
  const server = await startServer({
    transports: serverTransports(config),
    accounts: await readAccounts(config.domains),
    remotes: config.remotes,
    logger: pino(),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
} catch (thrown) {
  // What the user can put right is told in one line; anything else is a fault, and keeps its stack.
  if (thrown instanceof ConfigError || (thrown instanceof TransportError && thrown.category === 'config')) {
    fail(1, thrown.message);
  }
  throw thrown;
}

async function readAccounts(domains: readonly string[]): Promise<AccountStore> {
  const accounts = new AccountStore(domains);
  for (const entry of (process.env.CHAT_ACCOUNTS ?? '').split(',').filter((text) => text !== '')) {
    const colon = entry.indexOf(':');
    await accounts.add(entry.slice(0, colon), entry.slice(colon + 1));
  }
  return accounts;
}

function fail(code: number, message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
