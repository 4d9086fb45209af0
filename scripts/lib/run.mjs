import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The top of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The programs of this repository, run by the Node.js that runs this script, without a shell. */
export const programs = {
  biome: 'node_modules/@biomejs/biome/bin/biome',
  tsc: 'node_modules/typescript/bin/tsc',
  vitest: 'node_modules/vitest/vitest.mjs',
};

/** Tells what happens next, in one line that stands out among the output of the programs. */
export function say(text) {
  process.stdout.write(`\n> ${text}\n`);
}

/** Says why it cannot go on, and ends with 1. */
export function fail(text) {
  process.stderr.write(`\n${text}\n`);
  process.exit(1);
}

/**
 * Runs a program to its end with our own standard streams; resolves with its exit code, 128 and the number of the
 * signal where a signal ended it (the convention of POSIX shells).
 */
export function run(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
  const forward = (signal) => {
    // A terminal sends its Ctrl-C to the child as well: a second one would make it give up its orderly end.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  }).finally(() => {
    for (const signal of signals) process.off(signal, forward);
  });
}

/** Runs a script with the Node.js that runs this one. */
export function runNode(script, args = [], options = {}) {
  return run(process.execPath, [script, ...args], options);
}
