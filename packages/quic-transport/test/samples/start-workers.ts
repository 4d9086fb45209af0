import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';

/** In the primary: one worker for each core. Who dies is followed by one with the same number. */
export function startWorkers(program: string, folder: string, count: number = availableParallelism()): () => void {
  let isStopping = false;
  cluster.setupPrimary({ exec: program });
  const start = (number: number): void => {
    const worker = cluster.fork({ WORKER_NUMBER: String(number), WORKER_FOLDER: folder });
    worker.on('exit', () => {
      if (!isStopping) setTimeout(() => isStopping || start(number), 1_000);
    });
  };
  for (let number = 0; number < count; number++) start(number);
  return () => {
    isStopping = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.kill();
  };
}
