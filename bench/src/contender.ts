import { runBareClient, startBareServer } from './bare-engine.ts';
import { runFullClient, startFullServer } from './full-stack.ts';
import { runNaiveClient, startNaiveServer } from './naive-stack.ts';
import type { Measurement, Work } from './work.ts';

/** What the main process tells a contender's server or client, each in a process of its own. */
export interface Order {
  readonly contender: 'bare' | 'naive' | 'full';
  readonly role: 'server' | 'client';
  readonly work: Work;
  readonly certificate: string;
  readonly key: string;
  readonly rootCertificate: string;
  /** Of the server, for the client. */
  readonly port: number;
}

/** What it answers. */
export type Answer = { readonly port: number } | { readonly measurement: Measurement };

const SERVERS = { bare: startBareServer, naive: startNaiveServer, full: startFullServer };
const CLIENTS = { bare: runBareClient, naive: runNaiveClient, full: runFullClient };

async function carryOut(order: Order): Promise<Answer> {
  const { contender, role, work, certificate, key, rootCertificate, port } = order;
  if (role === 'server') return { port: await SERVERS[contender](work, certificate, key) };
  return { measurement: await CLIENTS[contender](work, port, rootCertificate) };
}

process.once('message', (order: Order) => {
  carryOut(order).then(
    (answer) => process.send?.(answer),
    (error) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      process.exit(1);
    },
  );
});
