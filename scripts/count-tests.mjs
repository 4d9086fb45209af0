// Reads the JSON reports of Vitest given as arguments and prints `N passed, N failed`: what passed in the first, so that
// no test counts twice, and what failed in any of them. A test file that did not load, and a report that does not exist,
// count as one failure each: silence is never success.
import { existsSync, readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
for (const [index, file] of process.argv.slice(2).entries()) {
  if (!existsSync(file)) {
    failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  if (index === 0) passed = report.numPassedTests;
  failed += report.numFailedTests;
  failed += report.testResults.filter(isBroken).length;
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** A file that failed before or beside its tests. */
function isBroken({ status, assertionResults }) {
  return status === 'failed' && assertionResults.every((result) => result.status !== 'failed');
}
