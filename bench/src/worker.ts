import cluster from 'node:cluster';
import type { BenchClient } from './contender.ts';
import { loadContender } from './contenders.ts';
import type { Answer, Order, Usage } from './processes.ts';
import { perform, serve } from './task.ts';

/** The process of a server or a client: carries out the orders of the main process, one after the other. */

let client: BenchClient | null = null;

async function carryOut(order: Order): Promise<Answer> {
  switch (order.order) {
    case 'listen': {
      const contender = await loadContender(order.contender);
      return { port: await contender.listen(order.setup, (stream) => serve(stream, order.setup)) };
    }
    case 'create':
      client = await (await loadContender(order.contender)).createClient(order.setup);
      return { done: true };
    case 'perform':
      if (client === null) throw new Error('there is no client');
      return { result: await perform(order.task, client) };
    case 'usage':
      if (order.collect) globalThis.gc?.();
      return { usage: usage() };
  }
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { cpuMs: (user + system) / 1_000, rssBytes: rss, heapUsedBytes: heapUsed, externalBytes: external };
}

process.on('message', (order: Order) => {
  carryOut(order).then(
    (answer) => process.send?.(answer),
    (error) => process.send?.({ error: error instanceof Error ? `${error.stack}` : `${error}` } satisfies Answer),
  );
});

process.on('disconnect', () => process.exit());

if (cluster.isWorker) process.send?.({ done: true } satisfies Answer);
