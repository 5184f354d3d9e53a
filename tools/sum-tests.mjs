// Sums the Jest reports of the named suites in one closing line, which CI reads.
import { existsSync, readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;

for (const suite of process.argv.slice(2)) {
  const file = `dist/test/${suite}.json`;
  if (!existsSync(file)) {
    console.log(`${suite}: no report, counted as one failure`);
    failed++;
    continue;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  passed += report.numPassedTests;
  // A file that does not load has no tests to fail; a suite without tests has lost its files.
  failed += report.numFailedTests + report.numRuntimeErrorTestSuites + (report.numTotalTestSuites === 0 ? 1 : 0);
  if (report.numPendingTests) console.log(`${suite}: ${report.numPendingTests} skipped`);
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
