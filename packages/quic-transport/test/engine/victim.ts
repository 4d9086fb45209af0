import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { EngineFailure, EnginePath, EnginePathEvent } from '../../src/engine/port.ts';

/** How a turn of the victim went; see `victim.mjs`. */
export interface Turn {
  readonly failure: EngineFailure | null;
  readonly events: readonly EnginePathEvent[];
  readonly retired: readonly Uint8Array[];
  readonly streams: readonly { readonly id: number; readonly chunks: readonly string[] }[];
  readonly datagrams: readonly Uint8Array[];
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: EngineFailure;
}

/** A process with one connection of the built engine in it, driven from here. */
export class Victim {
  readonly #process: ChildProcess;
  #lastId = 0;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  static async start(): Promise<Victim> {
    const child = fork(fileURLToPath(new URL('victim.mjs', import.meta.url)), { serialization: 'advanced' });
    await Promise.race([once(child, 'message'), exited(child)]);
    return new Victim(child);
  }

  /** Resolves with what the call gave; `failure` is that of an EngineError. Rejects when the process has died. */
  async ask<T = unknown>(
    operation: string,
    ...args: readonly unknown[]
  ): Promise<{ value: T; failure?: EngineFailure }> {
    const id = ++this.#lastId;
    const over = new AbortController();
    try {
      const answer = new Promise<Answer>((resolve) => {
        this.#process.on('message', (message) => {
          if ((message as Answer).id === id) resolve(message as Answer);
        });
      });
      this.#process.send({ id, operation, args });
      const { value, failure } = await Promise.race([answer, exited(this.#process, over.signal)]);
      return failure === undefined ? { value: value as T } : { value: value as T, failure };
    } finally {
      over.abort();
      this.#process.removeAllListeners('message');
    }
  }

  async call<T = unknown>(method: string, ...args: readonly unknown[]): Promise<{ value: T; failure?: EngineFailure }> {
    return this.ask<T>('call', method, ...args);
  }

  async get<T = unknown>(property: string): Promise<T> {
    return (await this.ask<T>('get', property)).value;
  }

  async turn(datagram: Uint8Array, path?: EnginePath): Promise<Turn> {
    return (await this.ask<Turn>('turn', datagram, ...(path === undefined ? [] : [path]))).value;
  }

  /** Ends it, also when it hangs in native code. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }
}

async function exited(child: ChildProcess, signal?: AbortSignal): Promise<never> {
  const [code, killedBy] = await once(child, 'exit', signal === undefined ? {} : { signal });
  throw new Error(`the process ended: ${killedBy ?? code}`);
}
