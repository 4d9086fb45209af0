// The demonstration of npm start: a server and its clients in one process, with real sockets between them.
// With --once it ends after the conversation, 0 only if every expected stanza arrived.
import { createTestCa } from '@stanzaport/testing';
import { clientHub } from './client-program.ts';
import { CAST, DOMAINS } from './demo/cast.ts';
import { play } from './demo/conversation.ts';
import { format } from './demo/format.ts';
import { Timeline } from './demo/timeline.ts';
import { AccountStore } from './server/accounts.ts';
import { type ServerProgram, startServer } from './server-program.ts';
import { clientTransports, serverTransports } from './transports.ts';

/** The conversation takes well under a second; after this time it is given up. */
const PATIENCE_MS = 20_000;

const once = process.argv.includes('--once');
const ctrlC = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
});

const ca = await createTestCa();
const { chainPem, keyPem } = await ca.issue({ dnsNames: [...DOMAINS] });
const credentials = [{ cert: chainPem, key: keyPem }];
const accounts = new AccountStore(DOMAINS);
for (const { username, domain, password } of Object.values(CAST)) {
  await accounts.add(`${username}@${domain}`, password);
}

await using server = await startServer({
  transports: serverTransports({ credentials, listen: [{ transport: 'quic', host: '127.0.0.1', port: 0 }] }),
  accounts,
});
printListeners(server);
process.exitCode = (await converse(server)) ? 0 : 1;
if (!once) {
  print('\nThe server stays up. Ctrl-C ends it.');
  await ctrlC;
  print('\nStopping.');
  process.exitCode = 0;
}

/** @returns whether every expected stanza arrived. */
async function converse({ hub }: ServerProgram): Promise<boolean> {
  const [listener] = hub.listeners;
  if (listener === undefined) throw new Error('no transport listens: see transports.ts');
  const { address: host, port } = listener.address;
  const transport = clientHub(clientTransports(ca.rootPem)).transport(listener.transport);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const timeline = new Timeline(print);
  let failure: unknown = null;
  try {
    await play({
      timeline,
      connect: (domain) => transport.connect({ kind: 'c2s', domain, host, port }, { signal }),
      signal,
    });
  } catch (thrown) {
    failure = thrown;
  }
  const { arrived, expected, elapsedMs } = timeline;
  if (failure !== null) {
    print(`\n✘ Ended after ${arrived} stanzas: ${failure instanceof Error ? failure.message : String(failure)}`);
    return false;
  }
  const where = `3 streams of 2 ${transport.name} connections`;
  print(`\n✔ ${arrived} of ${expected} expected stanzas arrived, over ${where}, in ${elapsedMs.toFixed(0)} ms.`);
  return arrived === expected;
}

function printListeners({ hub }: ServerProgram): void {
  print(`${'transport'.padEnd(12)}${'address'.padEnd(28)}hosts`);
  for (const { transport, address } of hub.listeners) {
    print(`${transport.padEnd(12)}${format(address).padEnd(28)}${DOMAINS.join(', ')}`);
  }
  print('');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
