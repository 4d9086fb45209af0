import { Program } from './program.ts';
import { DOMAIN, testCa } from './quic-pair.ts';

/** What a server has and holds, after its garbage was collected. */
export interface Usage {
  readonly rssBytes: number;
  /** The most it has ever had resident. */
  readonly peakBytes: number;
  /** The heap of V8, and what V8 knows to be outside of it; the engine's memory is not. */
  readonly knownBytes: number;
  /** What keeps the process alive, as `process.getActiveResourcesInfo()` has it: how many of each type. */
  readonly resources: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly routes: number;
  readonly pendingHandshakes: number;
}

/** How far the server's application has come. */
export interface Progress {
  /** Consumers that were asked to wait, and do. */
  readonly waiting: number;
  /** Bytes given to `send()` for those who asked for more. */
  readonly sentBytes: number;
  /** Bytes of stanzas taken and not echoed. */
  readonly droppedBytes: number;
  /** How many streams have ended with which code. */
  readonly endings: Readonly<Record<string, number>>;
  /** Open now. */
  readonly connections: number;
}

/** A listener with all a user has, in a process of its own, so that its memory is nobody else's. */
export class MemoryServer implements AsyncDisposable {
  readonly #program: Program;
  readonly port: number;

  private constructor(program: Program, port: number) {
    this.#program = program;
    this.port = port;
  }

  /** Serves {@link DOMAIN}, with the defaults of every option and limit. */
  static async start(): Promise<MemoryServer> {
    const program = await Program.start('memory-server.mjs', { execArgv: ['--expose-gc'] });
    const ca = await testCa();
    const { chainPem, keyPem } = await ca.issue({ dnsNames: [DOMAIN] });
    const credentials = [{ domain: DOMAIN, cert: chainPem, key: keyPem }];
    return new MemoryServer(program, await program.ask<number>('listen', { credentials, trust: [ca.rootPem] }));
  }

  /** Collects garbage first. */
  usage(): Promise<Usage> {
    return this.#program.ask<Usage>('usage');
  }

  progress(): Promise<Progress> {
    return this.#program.ask<Progress>('progress');
  }

  /** {@link progress} counts from 0 again; from now on consumers that are asked to wait do so. */
  begin(): Promise<void> {
    return this.#program.ask('begin');
  }

  letConsumersGoOn(): Promise<void> {
    return this.#program.ask('goOn');
  }

  /** Resolves when there is a trace of no more connections than `most`. */
  untilLeft(most: number): Promise<void> {
    return this.#program.ask('untilLeft', most);
  }

  /** Resolves when the listener is closed, and the process has ended for want of anything that would keep it alive. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.ask('close');
    await this.#program.leave();
  }
}
