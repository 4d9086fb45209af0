import { type ChildProcess, fork } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createTestCa } from '@stanzaport/testing';
import type { ClientSetup, ServerSetup } from './contender.ts';
import { type ContenderName, TITLES } from './contenders.ts';
import { runtimeOf } from './fetched-peer.ts';
import type { Result, Task } from './task.ts';
import { DOMAIN } from './work.ts';

/** What a process is told; each is answered by one {@link Answer}. */
export type Order =
  | { readonly order: 'listen'; readonly contender: ContenderName; readonly setup: ServerSetup }
  | { readonly order: 'create'; readonly contender: ContenderName; readonly setup: ClientSetup }
  | { readonly order: 'perform'; readonly task: Task }
  | { readonly order: 'usage'; readonly collect: boolean };

export type Answer =
  | { readonly port: number }
  | { readonly result: Result }
  | { readonly usage: Usage }
  | { readonly done: true }
  | { readonly error: string };

/** What a process has used. */
export interface Usage {
  /** User and system time of all its threads since its start, in milliseconds. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  /** ArrayBuffers and what else V8 knows to be outside of its heap. */
  readonly externalBytes: number;
}

/** For the end of a process; a profile takes a while to write. */
const PATIENCE_MS = 10_000;

let credential: Promise<{ certificate: string; key: string; rootCertificate: string }> | null = null;

async function createCredential(): Promise<{ certificate: string; key: string; rootCertificate: string }> {
  const ca = await createTestCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: [DOMAIN] });
  return { certificate: String(chainPem), key: String(keyPem), rootCertificate: String(ca.rootPem) };
}

class BenchProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #title: string;
  /** A worker of `node:cluster` loses what it is told before it listens, and says when it does. */
  readonly #ready: Promise<unknown> = Promise.resolve();

  /** @param inCluster make it a worker of `node:cluster`, which runs on the same Node.js as this process */
  constructor(contender: ContenderName, inCluster: boolean = false) {
    this.#title = TITLES[contender];
    const program = new URL('./worker.js', import.meta.url);
    const execArgv = [...process.execArgv, '--expose-gc'];
    if (inCluster) {
      cluster.setupPrimary({ exec: fileURLToPath(program), args: [], execArgv });
      this.#child = cluster.fork().process;
      this.#ready = once(this.#child, 'message');
    } else {
      this.#child = fork(program, { execPath: runtimeOf(contender), execArgv });
    }
  }

  async ask(order: Order): Promise<Answer> {
    await this.#ready;
    const leaving = new AbortController();
    const { signal } = leaving;
    const answered = once(this.#child, 'message', { signal }).then(([answer]) => answer as Answer);
    const ended = once(this.#child, 'exit', { signal }).then(
      ([code, name]): Answer => ({ error: `ended with ${code ?? name}` }),
    );
    this.#child.send(order);
    const answer = await Promise.race([answered, ended]).finally(() => {
      leaving.abort();
      for (const left of [answered, ended]) left.catch(() => undefined);
    });
    if ('error' in answer) throw new Error(`${this.#title}: ${answer.error}`);
    return answer;
  }

  /** What the process has used up to now; `collect` lets the garbage be collected first. */
  async usage({ collect = false }: { readonly collect?: boolean } = {}): Promise<Usage> {
    const answer = await this.ask({ order: 'usage', collect });
    if ('usage' in answer) return answer.usage;
    throw new Error(`${this.#title}: no usage`);
  }

  /** Resolves when the process is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    // It ends when nobody is there to give orders, by itself, so that it can write a profile.
    this.#child.disconnect();
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    await gone;
    clearTimeout(patience);
  }
}

/** A contender's server in a process of its own. */
export class ServerProcess extends BenchProcess {
  readonly contender: ContenderName;
  readonly setup: Omit<ServerSetup, 'certificate' | 'key'>;
  #port = 0;

  private constructor(contender: ContenderName, setup: ServerProcess['setup']) {
    super(contender, setup.worker?.sharing === 'cluster');
    this.contender = contender;
    this.setup = setup;
  }

  static async start(contender: ContenderName, setup: ServerProcess['setup']): Promise<ServerProcess> {
    credential ??= createCredential();
    const { certificate, key } = await credential;
    const server = new ServerProcess(contender, setup);
    const answer = await server.ask({ order: 'listen', contender, setup: { ...setup, certificate, key } });
    if ('port' in answer) server.#port = answer.port;
    return server;
  }

  get port(): number {
    return this.#port;
  }
}

/** A client of a server, in a process of its own. */
export class ClientProcess extends BenchProcess {
  static async start(
    server: ServerProcess,
    { resume = false }: { readonly resume?: boolean } = {},
  ): Promise<ClientProcess> {
    credential ??= createCredential();
    const { rootCertificate } = await credential;
    const { contender, port } = server;
    const { stanzaBytes } = server.setup;
    const client = new ClientProcess(contender);
    await client.ask({ order: 'create', contender, setup: { port, rootCertificate, stanzaBytes, resume } });
    return client;
  }

  async perform(task: Task): Promise<Result> {
    const answer = await this.ask({ order: 'perform', task });
    return 'result' in answer ? answer.result : [];
  }
}

/** One client performs one task with a server of its own. */
export async function measure(
  contender: ContenderName,
  setup: ServerProcess['setup'],
  task: Task,
): Promise<{ readonly result: Result; readonly serverCpuMs: number }> {
  await using server = await ServerProcess.start(contender, setup);
  await using client = await ClientProcess.start(server);
  const before = await server.usage();
  const result = await client.perform(task);
  const after = await server.usage();
  return { result, serverCpuMs: after.cpuMs - before.cpuMs };
}
