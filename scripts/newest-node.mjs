// Runs the conversation and a part of the tests on the newest Node.js, which the npm package `node` brings; needs the
// npm registry. Arguments go to Vitest: node scripts/newest-node.mjs packages/core
import { programs, run, say } from './lib/run.mjs';
import { setup } from './setup.mjs';

const NEWEST = 'node@26';
const SMOKE = ['packages/core', 'conformance', 'examples'];

await setup();
const given = process.argv.slice(2);
const files = given.some((argument) => !argument.startsWith('-')) ? given : [...SMOKE, ...given];

say(`${NEWEST}: examples/chat-server --once`);
const conversation = await onNewest('examples/chat-server/dist/demo.js', '--once');
say(`${NEWEST}: vitest run ${files.join(' ')}`);
const tests = await onNewest(programs.vitest, 'run', ...files);
process.exitCode = conversation === 0 && tests === 0 ? 0 : 1;

function onNewest(...args) {
  return run('npx', ['--yes', `--package=${NEWEST}`, '--', 'node', ...args], { shell: process.platform === 'win32' });
}
