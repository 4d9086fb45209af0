import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isNodeSupported } from '../lib/node-version.mjs';

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

test('the lockfile names no registry, so that each machine uses its own', () => {
  expect(read('pnpm-lock.yaml')).not.toMatch(/https?:|tarball:/);
});

test('the package manager is pinned to one version', () => {
  expect(JSON.parse(read('package.json')).packageManager).toMatch(/^pnpm@\d+\.\d+\.\d+$/);
});

test.each([
  ['20.19.0', true],
  ['20.20.2', true],
  ['26.10.0', true],
  ['20.18.3', false],
  ['18.20.8', false],
  ['21.0.0', true],
])('Node.js %s is supported: %s', (version, supported) => {
  const { node } = JSON.parse(read('package.json')).engines;
  expect(isNodeSupported(version, node)).toBe(supported);
});
