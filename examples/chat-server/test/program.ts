import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** One of the built programs, run as a user runs it. */
export class Program {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly seen: string[] = [];
  readonly exit: Promise<number | null>;
  /** All it wrote to standard error; complete after the exit. */
  complaint = '';

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const path = fileURLToPath(new URL(`../dist/${file}`, import.meta.url));
    const child = spawn(process.execPath, [path, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.complaint += text;
    });
    this.exit = once(child, 'close').then(([code]) => code);
  }

  /** Reads on to the first line that matches, or to the end. */
  async line(pattern: RegExp): Promise<string | null> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) return null;
      this.seen.push(value);
      if (pattern.test(value)) return value;
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.exit;
  }
}
