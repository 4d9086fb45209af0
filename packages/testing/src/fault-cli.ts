#!/usr/bin/env node
import { lookup } from 'node:dns/promises';
import { createInterface } from 'node:readline';
import { TransportError } from '@stanzaport/core';
import { FAULT_NAMES, type HostAndPort, parseFaultArguments } from './fault-arguments.ts';
import { CONSOLE_HELP, FaultConsole, show } from './fault-console.ts';
import { UdpForwarder } from './fault-forwarder.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const HELP = `\
stanzaport-faults --target HOST:PORT [--listen HOST:PORT] [--seed NUMBER] [--FAULT VALUE]...

A bad network for UDP: clients send to --listen, and the target answers them through it.
Faults, in both directions, or with to-server- or to-client- before the name in one:
  ${Object.keys(FAULT_NAMES).join(', ')}
Shares go from 0 to 1, times are milliseconds, rate is bytes a second, queue is bytes.

While it runs it takes commands, one a line:
${CONSOLE_HELP}`;

try {
  await main();
} catch (error) {
  if (!(error instanceof TransportError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { help, listen, target, seed, toServer, toClient } = parseFaultArguments(process.argv.slice(2));
  if (help || target === null) {
    (help ? process.stdout : process.stderr).write(HELP);
    process.exitCode = help ? 0 : 1;
    return;
  }
  const from = listen === null ? {} : { listen: { host: await resolve(listen), port: listen.port } };
  const to = { address: await resolve(target), port: target.port };
  const forwarder = await UdpForwarder.open({ ...from, target: to, seed, toServer, toClient });
  // First, since who reads the line may send a command or a signal at once.
  takeCommands(forwarder);
  process.stdout.write(`forwards ${show(forwarder.address)} to ${show(to)}, seed ${seed}\n`);
}

/** Until `quit` or a signal; without a standard input it goes on by itself. */
function takeCommands(forwarder: UdpForwarder): void {
  const faults = new FaultConsole(forwarder);
  const lines = createInterface({ input: process.stdin });
  let last: Promise<void> = Promise.resolve();
  const end = (): void => {
    lines.close();
    process.stdin.destroy();
    for (const signal of SIGNALS) process.off(signal, end);
    last = last.then(() => forwarder.close());
  };
  lines.on('line', (line) => {
    if (line.trim() === 'quit') return end();
    last = last.then(async () => {
      process.stdout.write(await faults.execute(line));
    });
  });
  for (const signal of SIGNALS) process.on(signal, end);
}

async function resolve({ host }: HostAndPort): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new TransportError('XMPP_NAME_NOT_RESOLVED', `${host}: no such host`, { cause: error });
  }
}
