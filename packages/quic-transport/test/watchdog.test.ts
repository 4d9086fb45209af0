import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const script = fileURLToPath(new URL('./tools/stall.mjs', import.meta.url));

/** How a child ended that was busy for `busyMs` while calls may take `stallMs`. */
function stall(where: 'inside' | 'outside', stallMs: number, busyMs: number): Promise<{ stdout: string }> {
  return run(process.execPath, [script, where, String(stallMs), String(busyMs)]);
}

test('a call into the engine that does not return ends the process, and says why', async () => {
  await expect(stall('inside', 200, 20_000)).rejects.toMatchObject({
    signal: 'SIGKILL',
    stdout: '',
    stderr: expect.stringContaining('a call into the QUIC engine has not returned for 200 ms'),
  });
});

test('a handler that takes its time is left alone, and so is a call that returns in time', async () => {
  expect(await stall('outside', 100, 1_000)).toMatchObject({ stdout: 'survived' });
  expect(await stall('inside', 1_000, 500)).toMatchObject({ stdout: 'survived' });
});

test('with 0 nothing is watched', async () => {
  expect(await stall('inside', 0, 300)).toMatchObject({ stdout: 'survived' });
});
