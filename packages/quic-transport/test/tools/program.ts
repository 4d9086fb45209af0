import { type ChildProcess, fork } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** How a program is started. */
export interface ProgramOptions {
  /** Make it a worker of `node:cluster`. */
  readonly inCluster?: boolean;
  /** Arguments of Node.js itself. @defaultValue those of this process */
  readonly execArgv?: readonly string[];
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: string;
}

function forkInCluster(program: string, execArgv: string[]): ChildProcess {
  cluster.setupPrimary({ exec: program, execArgv, serialization: 'advanced' });
  return cluster.fork().process;
}

/** A program of this folder in a process of its own: what hangs, bloats or ends it takes nothing else along. */
export class Program {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #gone: Promise<Error>;
  #lastId = 0;

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.#gone = once(child, 'exit').then(
      ([code, killedBy]) => new Error(`the process of ${child.spawnargs.at(-1)} has ended: ${killedBy ?? code}`),
    );
    child.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
  }

  /** Resolves when the program can be asked. */
  static async start(
    name: string,
    { inCluster = false, execArgv = process.execArgv }: ProgramOptions = {},
  ): Promise<Program> {
    const path = fileURLToPath(new URL(name, import.meta.url));
    const child = inCluster
      ? forkInCluster(path, [...execArgv])
      : fork(path, { execArgv: [...execArgv], serialization: 'advanced' });
    const program = new Program(child);
    await program.#unlessGone(once(child, 'message'));
    return program;
  }

  /** Rejects when the operation fails, or the process ends. */
  async ask<T = void>(operation: string, ...args: readonly unknown[]): Promise<T> {
    const id = ++this.#lastId;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#process.send({ id, operation, args });
    const { value, failure } = await this.#unlessGone(answer);
    this.#waiting.delete(id);
    if (failure !== undefined) throw new Error(`the program failed at ${operation}: ${failure}`);
    return value as T;
  }

  /** Asks nothing any more; resolves when the process has ended. */
  async leave(): Promise<void> {
    this.#process.disconnect();
    await this.#gone;
  }

  /** Ends the process as the system would: nobody is told. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#gone;
  }

  async #unlessGone<T>(work: Promise<T>): Promise<T> {
    const outcome = await Promise.race([work, this.#gone]);
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }
}
