// Reads the JSON reports of Vitest given as arguments and prints `N passed, N failed`. What passed counts up to the
// argument `--again`: the reports behind it are of the same tests, and none of them counts twice. What failed counts in
// all. A test file that did not load, and a report that does not exist, count as one failure each, and a report before
// `--again` in which nothing passed is no success: silence never is.
import { existsSync, readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
let again = false;
let silent = process.argv.length < 3;
for (const argument of process.argv.slice(2)) {
  if (argument === '--again') {
    again = true;
    continue;
  }
  if (!existsSync(argument)) {
    failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(argument, 'utf8'));
  if (!again) passed += report.numPassedTests;
  if (!again && report.numPassedTests === 0) silent = true;
  failed += report.numFailedTests;
  failed += report.testResults.filter(isBroken).length;
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 || silent ? 1 : 0;

/** A file that failed before or beside its tests. */
function isBroken({ status, assertionResults }) {
  return status === 'failed' && assertionResults.every((result) => result.status !== 'failed');
}
