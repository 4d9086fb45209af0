// Makes a fresh clone ready: dependencies (only when they are missing or the lockfile changed), then the build.
// Needs Node.js, npm and the npm registry, nothing else.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isNodeSupported } from './lib/node-version.mjs';
import { fail, programs, root, run, runNode, say } from './lib/run.mjs';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const stampFile = join(root, 'node_modules', '.stanzaport-setup');

/** Checks Node.js, installs where needed and builds; ends the process when something fails. */
export async function setup() {
  if (!isNodeSupported(process.versions.node, manifest.engines.node)) {
    fail(`This is Node.js ${process.versions.node}; Stanzaport needs ${manifest.engines.node}.`);
  }
  await install();
  say('build: tsc -b');
  const code = await runNode(programs.tsc, ['-b']);
  if (code !== 0) fail('The build failed: see above.');
}

async function install() {
  const wanted = fingerprint();
  if (readStamp() === wanted) return;
  say(`install: ${manifest.packageManager} (once; again only when the lockfile changes)`);
  // On Windows npx is a command file, which only a shell can start.
  const shell = process.platform === 'win32';
  const code = await run('npx', ['--yes', manifest.packageManager, 'install', '--frozen-lockfile'], { shell });
  if (code !== 0) fail('The dependencies could not be installed: see above.');
  writeFileSync(stampFile, wanted);
}

/** What decides which files an install puts into node_modules. */
function fingerprint() {
  const lockfile = readFileSync(join(root, 'pnpm-lock.yaml'));
  return `${process.platform}-${process.arch} ${createHash('sha256').update(lockfile).digest('hex')}\n`;
}

function readStamp() {
  try {
    return readFileSync(stampFile, 'utf8');
  } catch {
    return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setup();
