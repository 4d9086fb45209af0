import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { memoryConformance, transportConformance } from '../src/index.ts';

/** Runs a program of Node; a failure tells what it printed. */
const run = async (args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> => {
  try {
    return (await promisify(execFile)(process.execPath, args, { env })).stdout;
  } catch (cause) {
    throw new Error(`${args.join(' ')} failed:\n${(cause as { stdout?: string }).stdout}`, { cause });
  }
};

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

test('[TC-01] the kit runs under node:test on the built packages, and every case passes', async () => {
  await run([pathOf('../../../node_modules/typescript/bin/tsc'), '-b', pathOf('..')]);
  // A runner inside a runner takes itself for a part of the outer one when it sees this variable.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const script = pathOf('./memory.node-test.mjs');
  const stdout = await run(['--test', '--test-reporter=tap', script], env);
  const cases = transportConformance(memoryConformance);
  const skipped = cases.filter(({ skip }) => skip !== undefined).length;
  expect(stdout).toMatch(new RegExp(`^# pass ${cases.length - skipped}$`, 'm'));
  expect(stdout).toMatch(new RegExp(`^# skipped ${skipped}$`, 'm'));
  expect(stdout).toMatch(/^# fail 0$/m);
}, 120_000);
