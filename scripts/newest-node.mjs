// Plays the conversation and runs the tests on the newest Node.js, which the npm package `node` brings; needs the npm
// registry. Arguments go to Vitest: node scripts/newest-node.mjs packages/core
import { programs, run, say } from './lib/run.mjs';
import { setup } from './setup.mjs';

const NEWEST = 'node@26';

await setup();
const args = process.argv.slice(2);
say(`${NEWEST}: examples/chat-server --once`);
const conversation = await onNewest('examples/chat-server/dist/demo.js', '--once');
say(`${NEWEST}: vitest run ${args.join(' ')}`);
const tests = await onNewest(programs.vitest, 'run', ...args);
process.exitCode = conversation === 0 && tests === 0 ? 0 : 1;

function onNewest(...command) {
  return run('npx', ['--yes', `--package=${NEWEST}`, '--', 'node', ...command], {
    shell: process.platform === 'win32',
  });
}
