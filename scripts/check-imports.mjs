// The rule of imports: one direction between the packages, no circles within one, and two borders that keep the DI
// container and the QUIC engine replaceable. Prints each breach as file:line and ends with 1 when there is any.
// Usage: node scripts/check-imports.mjs [top of the repository]
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { findCircles } from './lib/circles.mjs';
import { findImports } from './lib/imports.mjs';
import { root } from './lib/run.mjs';

const SCOPE = '@stanzaport/';
const TRANSPORT = ['core', 'tls-shared'];

/** Whom the sources of a package may import; what is no package (examples, bench) may import all of them. */
const MAY_IMPORT = {
  core: [],
  'tls-shared': ['core'],
  'quic-transport': TRANSPORT,
  'tls-transport': TRANSPORT,
  'websocket-transport': TRANSPORT,
  testing: ['core', 'tls-shared'],
  discovery: ['core'],
  gateway: 'all',
};

/** Third parties that stand behind a border, and the files that may cross it by a value import. */
const BORDERS = [
  {
    guarded: /^(?:inversify|@inversifyjs\/.*|reflect-metadata)$/,
    typesAllowed: true,
    allowed:
      /^(?:packages\/[^/]+\/(?:src\/(?:module|index)\.ts|.*\.test\.ts|test\/.*)|examples\/.*|bench\/.*|test\/.*)$/,
    why: 'the DI container is touched in module.ts only',
  },
  {
    guarded: /^@matrixai\/quic(?:\/.*)?$/,
    typesAllowed: false,
    allowed: /^(?:packages\/quic-transport\/(?:src|test)\/engine\/.*|bench\/.*)$/,
    why: 'only quic-transport/src/engine knows the QUIC engine',
  },
];

const top = resolve(process.argv[2] ?? root);
const breaches = [];

for (const workspace of workspaces()) checkWorkspace(workspace);

for (const { file, line, text } of breaches) process.stderr.write(`${file}:${line}: ${text}\n`);
if (breaches.length > 0) {
  process.stderr.write(`${breaches.length} import(s) break the rule\n`);
  process.exitCode = 1;
} else {
  process.stdout.write('All imports keep the rule.\n');
}

function workspaces() {
  const folders = ['packages', 'examples'].flatMap((parent) =>
    existsSync(join(top, parent)) ? readdirSync(join(top, parent)).map((name) => `${parent}/${name}`) : [],
  );
  return [...folders, 'bench', 'test'].filter((folder) => existsSync(join(top, folder)));
}

function checkWorkspace(folder) {
  const name = folder.startsWith('packages/') ? folder.slice('packages/'.length) : null;
  const allowed = name === null ? 'all' : MAY_IMPORT[name];
  if (allowed === undefined) {
    report(`${folder}/package.json`, 1, `package ${name} has no place in the order of packages (MAY_IMPORT)`);
    return;
  }
  const manifest = readManifest(folder);
  const graph = new Map();
  for (const file of sources(folder)) {
    const edges = [];
    for (const found of findImports(readFileSync(join(top, file), 'utf8'))) {
      if (found.specifier.startsWith('.')) {
        const target = checkRelative(folder, file, found);
        if (!found.typeOnly) edges.push({ target, line: found.line });
      } else {
        checkPackage({ folder, name, allowed, manifest, file }, found);
      }
    }
    graph.set(file, edges);
  }
  for (const circle of findCircles(graph)) {
    report(circle.files[0], circle.line, `circle: ${[...circle.files, circle.files[0]].join(' -> ')}`);
  }
}

/** A relative import stays within its package; answers the file it names. */
function checkRelative(folder, file, { specifier, line }) {
  const target = posix(relative(top, resolve(top, dirname(file), specifier)));
  const stays = target.startsWith(`${folder}/`) || folder === 'test' || folder === 'bench';
  if (!stays) report(file, line, `${specifier} leaves the package; import the package by its name`);
  return target;
}

function checkPackage({ folder, name, allowed, manifest, file }, { specifier, line, typeOnly }) {
  if (specifier.startsWith('node:')) return;
  for (const border of BORDERS) {
    if (!border.guarded.test(specifier) || border.allowed.test(file)) continue;
    if (!(typeOnly && border.typesAllowed)) report(file, line, `${specifier}: ${border.why}`);
  }
  if (specifier.startsWith(SCOPE)) checkOwn({ name, allowed, file }, specifier, line);
  checkDeclared({ folder, manifest, file }, specifier, line);
}

function checkOwn({ name, allowed, file }, specifier, line) {
  const [imported, ...rest] = specifier.slice(SCOPE.length).split('/');
  if (rest.length > 0) report(file, line, `${specifier} reaches into a package; only its index is public`);
  // A package that imports itself by name goes through its own index, which is a circle in its sources.
  const ok = isTest(file)
    ? allowed === 'all' || allowed.includes(imported) || imported === 'testing' || imported === name
    : allowed === 'all' || allowed.includes(imported);
  if (!ok) report(file, line, `${name} may not import ${imported}: it is not below it`);
}

/** What a user installs must bring all that the sources import. */
function checkDeclared({ folder, manifest, file }, specifier, line) {
  if (manifest === null) return;
  const wanted = specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : specifier.split('/')[0];
  const { dependencies = {}, peerDependencies = {}, devDependencies = {} } = manifest;
  if (wanted === manifest.name || wanted in dependencies || wanted in peerDependencies) return;
  if (isTest(file) && (wanted in devDependencies || wanted === 'vitest')) return;
  report(file, line, `${specifier} is not among the dependencies of ${folder}/package.json`);
}

/** Walks by itself: a recursive readdir follows the links in node_modules, which lead round in circles. */
function sources(folder) {
  const entries = readdirSync(join(top, folder), { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const name = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return ['node_modules', 'dist', 'fixtures'].includes(entry.name) ? [] : sources(name);
      return /\.(?:ts|mts|mjs)$/.test(entry.name) ? [name] : [];
    })
    .sort();
}

function readManifest(folder) {
  const file = join(top, folder, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

function isTest(file) {
  return /\.test\.ts$|^[^/]+\/[^/]+\/test\/|^test\//.test(file);
}

function posix(path) {
  return path.split(sep).join('/');
}

function report(file, line, text) {
  breaches.push({ file, line, text });
}
