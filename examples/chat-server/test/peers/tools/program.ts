import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const running = new Set<Program>();
// A test run that is given up still leaves nothing behind.
process.on('exit', () => {
  for (const program of running) program.kill();
});

/** A program started by a test, and watched by what it prints. */
export class Program implements AsyncDisposable {
  readonly #command: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiters = new Set<() => void>();
  #over: string | null = null;

  private constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#command = command;
    // A group of its own, so that nothing it has started outlives it.
    this.#child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      if (output !== null) createInterface({ input: output }).on('line', (line) => this.#take(line));
    }
    running.add(this);
    // 'close' follows the last line of its output.
    this.#child.once('close', (code, signal) => this.#end(`ended with ${code ?? signal}`));
  }

  /** @throws Error when there is no such program: a missing peer is a failure. */
  static async start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Program> {
    const program = new Program(command, args, env);
    try {
      await once(program.#child, 'spawn');
    } catch (cause) {
      throw new Error(`${command} does not start; install.sh beside these tests installs it`, { cause });
    }
    return program;
  }

  /** The lines it has printed so far, on either output. */
  get output(): readonly string[] {
    return this.#lines;
  }

  /** The first line that matches, printed already or yet to come; rejects when the program ends without it. */
  async line(pattern: RegExp): Promise<string> {
    const [first = ''] = await this.lines(pattern, 1);
    return first;
  }

  /** The first `count` lines that match; as {@link line}. */
  async lines(pattern: RegExp, count: number): Promise<readonly string[]> {
    for (;;) {
      const found = this.#lines.filter((line) => pattern.test(line));
      if (found.length >= count) return found.slice(0, count);
      if (this.#over !== null)
        throw new Error(`${this.#command} ${this.#over} without ${pattern}:\n${this.#lines.join('\n')}`);
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  /** Resolves when it has ended, and all its output is there. */
  async end(): Promise<void> {
    while (this.#over === null) await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }

  /** Asks it to end, and waits until it has. */
  async stop(): Promise<void> {
    if (this.#isAlive) this.#child.kill('SIGTERM');
    await this.end();
  }

  /** Ends it, and all it has started. */
  kill(): void {
    if (this.#isAlive && this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.end();
  }

  get #isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  #take(line: string): void {
    this.#lines.push(line);
    this.#wake();
  }

  #end(how: string): void {
    running.delete(this);
    this.#over = how;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiters) resolve();
    this.#waiters.clear();
  }
}
