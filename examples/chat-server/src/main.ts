// The server as a program of its own:
//   node dist/main.js <folder with <domain>.crt and <domain>.key> [port]
//   CHAT_ACCOUNTS='juliet@capulet.example:password,...' says who may log in.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pino } from 'pino';
import { AccountStore } from './server/accounts.ts';
import { startServer } from './server-program.ts';
import { serverTransports } from './transports.ts';

const [folder, port = '443'] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('usage: main.js <folder with <domain>.crt and <domain>.key> [port]\n');
  process.exit(2);
}

const domains = readdirSync(folder)
  .filter((name) => name.endsWith('.crt'))
  .map((name) => basename(name, '.crt'));
const credentials = domains.map((domain) => ({
  domain,
  cert: join(folder, `${domain}.crt`),
  key: join(folder, `${domain}.key`),
}));

const accounts = new AccountStore(domains);
for (const entry of (process.env.CHAT_ACCOUNTS ?? '').split(',').filter((text) => text !== '')) {
  const colon = entry.indexOf(':');
  await accounts.add(entry.slice(0, colon), entry.slice(colon + 1));
}

const server = await startServer({
  transports: serverTransports({ credentials, host: '::', port: Number(port) }),
  accounts,
  logger: pino(),
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
