// npm test: lint, import rules, types and every test. Arguments go to Vitest: npm test -- packages/core -t 'XML-15'
import { programs, runNode, say } from './lib/run.mjs';
import { setup } from './setup.mjs';

await setup();

const steps = [
  ['lint: biome check', programs.biome, ['check', '--error-on-warnings', '.']],
  ['imports: scripts/check-imports.mjs', 'scripts/check-imports.mjs', []],
  ['types of the tests: tsc -p tsconfig.test.json', programs.tsc, ['-p', 'tsconfig.test.json']],
  ['tests: vitest run', programs.vitest, ['run', ...process.argv.slice(2)]],
];

const failed = [];
for (const [title, script, args] of steps) {
  say(title);
  const code = await runNode(script, args);
  if (code >= 128) process.exit(code);
  if (code !== 0) failed.push(title);
}

if (failed.length > 0) {
  say(`failed: ${failed.join('; ')}`);
  process.exitCode = 1;
}
