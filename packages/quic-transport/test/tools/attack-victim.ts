import { type ChildProcess, fork } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Limits } from '@stanzaport/core';
import type { CredentialOptions } from '@stanzaport/tls-shared';
import type { QuicListenerCounters, QuicOptions } from '../../src/index.ts';
import { DOMAIN, testCa } from './quic-pair.ts';
import { ATTACKED_DOMAIN } from './udp-attacker.ts';

/** How a connection of the victim ended. */
export interface VictimEnding {
  readonly clean: boolean;
  readonly by: 'local' | 'peer';
  readonly code: string | null;
  readonly quicCode: number | null;
}

/** How the victim is. */
export interface VictimReport {
  /** The most memory it has ever had resident. */
  readonly peakBytes: number;
  /** Processor time it has taken, of all its threads. */
  readonly cpuMs: number;
  readonly counters: QuicListenerCounters;
  readonly connections: number;
  readonly pendingHandshakes: number;
  readonly routes: number;
  /** Of all connections that have ended, in order. */
  readonly endings: readonly VictimEnding[];
}

/** What the victim's listener is given. */
export interface VictimSetup {
  readonly limits?: Partial<Limits>;
  readonly options?: Partial<Omit<QuicOptions, 'staticKey'>> & { readonly staticKey?: Uint8Array };
  readonly port?: number;
  /** Instead of new ones. */
  readonly credentials?: readonly CredentialOptions[];
  /** Make it a worker of `node:cluster`. */
  readonly inCluster?: boolean;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: string;
}

/** Fresh certificates for {@link DOMAIN} and {@link ATTACKED_DOMAIN}. */
export async function victimCredentials(): Promise<readonly CredentialOptions[]> {
  const ca = await testCa();
  return Promise.all(
    [DOMAIN, ATTACKED_DOMAIN].map(async (domain) => {
      const { chainPem, keyPem } = await ca.issue({ dnsNames: [domain] });
      return { domain, cert: chainPem, key: keyPem };
    }),
  );
}

function forkInCluster(program: string): ChildProcess {
  cluster.setupPrimary({ exec: program, serialization: 'advanced' });
  return cluster.fork().process;
}

/** A listener in a process of its own: what hangs, bloats or ends it takes nothing else along. */
export class AttackVictim {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #gone: Promise<Error>;
  #port = 0;
  #lastId = 0;

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.#gone = once(child, 'exit').then(
      ([code, killedBy]) => new Error(`the victim's process has ended: ${killedBy ?? code}`),
    );
    child.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
  }

  /** Serves {@link DOMAIN} and {@link ATTACKED_DOMAIN} with certificates of the test CA. */
  static async start({
    limits = {},
    options = {},
    port = 0,
    credentials,
    inCluster = false,
  }: VictimSetup = {}): Promise<AttackVictim> {
    const program = fileURLToPath(new URL('attack-victim.mjs', import.meta.url));
    const child = inCluster ? forkInCluster(program) : fork(program, { serialization: 'advanced' });
    const victim = new AttackVictim(child);
    const ready = once(child, 'message');
    const ca = await testCa();
    const ownCredentials = credentials ?? (await victimCredentials());
    await victim.#unlessGone(ready);
    const listen = { credentials: ownCredentials, trust: [ca.rootPem], limits, options, port };
    victim.#port = await victim.#ask<number>('listen', listen);
    return victim;
  }

  get port(): number {
    return this.#port;
  }

  /** Comes when the victim's event loop has turned; rejects when the process has ended. */
  report(): Promise<VictimReport> {
    return this.#ask<VictimReport>('report');
  }

  /** Closes the listener in order, which must leave nothing behind that keeps the process alive. */
  async close(): Promise<void> {
    await this.#ask('close');
    this.#process.disconnect();
    await this.#gone;
  }

  /** Ends the process as the system would: nobody is told. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#gone;
  }

  async #ask<T>(operation: string, ...args: readonly unknown[]): Promise<T> {
    const id = ++this.#lastId;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#process.send({ id, operation, args });
    const { value, failure } = await this.#unlessGone(answer);
    this.#waiting.delete(id);
    if (failure !== undefined) throw new Error(`the victim failed at ${operation}: ${failure}`);
    return value as T;
  }

  async #unlessGone<T>(work: Promise<T>): Promise<T> {
    const outcome = await Promise.race([work, this.#gone]);
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }
}
