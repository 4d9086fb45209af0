import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ContenderName } from './contenders.ts';

/**
 * The peer that the workspace does not install, because it needs a newer Node.js than we do: fetched, with that Node.js,
 * when it is to be measured for the first time.
 */

const PACKAGES = { '@currentspace/http3': '0.9.0', node: '24.9.0' };
const FOLDER = fileURLToPath(new URL('../../node_modules/.cache/stanzaport-bench/', import.meta.url));
const MODULES = join(FOLDER, 'node_modules');
const COMPLETE = join(FOLDER, 'complete');
const WINDOWS = process.platform === 'win32';

/** The program that runs a contender. */
export function runtimeOf(contender: ContenderName): string {
  return contender === 'http3' ? join(MODULES, 'node', 'bin', WINDOWS ? 'node.exe' : 'node') : process.execPath;
}

export function entryOfHttp3(): string {
  return pathToFileURL(join(MODULES, '@currentspace', 'http3', 'dist', 'index.js')).href;
}

let failure: string | null = null;

/** Why the contender cannot be measured; null when it can. */
export function fetchPeer(contender: ContenderName): string | null {
  if (contender !== 'http3') return null;
  if (!existsSync(COMPLETE)) failure ??= install();
  return failure;
}

function install(): string | null {
  const versions = Object.entries(PACKAGES).map(([name, version]) => `${name}@${version}`);
  process.stderr.write(`fetching ${versions.join(', ')}\n`);
  mkdirSync(FOLDER, { recursive: true });
  // The package `node` brings the program by a script.
  writeFileSync(join(FOLDER, 'package.json'), '{ "private": true, "allowScripts": { "node": true } }\n');
  try {
    // --force: npm looks at the Node.js that runs it, not at the one that will run the package.
    const args = ['install', '--prefix', FOLDER, '--force', '--no-audit', '--no-fund', ...versions];
    execFileSync('npm', args, { stdio: ['ignore', 'ignore', 'pipe'], shell: WINDOWS });
    writeFileSync(COMPLETE, `${versions.join('\n')}\n`);
    return null;
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    return text.trim().split('\n').slice(-3).join(' ');
  }
}
