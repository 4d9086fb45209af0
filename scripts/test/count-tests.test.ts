import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../count-tests.mjs', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'count-tests-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly { status: string; assertionResults: readonly { status: string }[] }[];
}

function count(...reports: (Report | '--again' | null)[]): [line: string, code: number | null] {
  const files = reports.map((report, index) => {
    if (report === '--again') return report;
    const file = join(folder, `${index}.json`);
    if (report !== null) writeFileSync(file, JSON.stringify(report));
    return file;
  });
  const { stdout, status } = spawnSync(process.execPath, [script, ...files], { encoding: 'utf8' });
  return [stdout.trim(), status];
}

const good: Report = { numPassedTests: 3, numFailedTests: 0, testResults: [] };

test('counts what passed once, and what failed anywhere', () => {
  expect(count(good, '--again', good)).toEqual(['3 passed, 0 failed', 0]);
  expect(count(good, '--again', { ...good, numFailedTests: 2 })).toEqual(['3 passed, 2 failed', 1]);
});

test('adds up runs of different tests, each of which must have passed some', () => {
  expect(count(good, { ...good, numPassedTests: 2 }, '--again', good)).toEqual(['5 passed, 0 failed', 0]);
  expect(count(good, { ...good, numPassedTests: 0 })).toEqual(['3 passed, 0 failed', 1]);
});

test('counts what failed, and ends with 1', () => {
  const failed = { status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'passed' }] };
  expect(count({ numPassedTests: 1, numFailedTests: 1, testResults: [failed] })).toEqual(['1 passed, 1 failed', 1]);
});

test('counts a file that did not load as a failure', () => {
  expect(count({ ...good, testResults: [{ status: 'failed', assertionResults: [] }] })).toEqual([
    '3 passed, 1 failed',
    1,
  ]);
});

test('counts a report that was not written as a failure', () => {
  expect(count(good, null)).toEqual(['3 passed, 1 failed', 1]);
});

test('no test at all is no success', () => {
  expect(count({ ...good, numPassedTests: 0 })).toEqual(['0 passed, 0 failed', 1]);
});
