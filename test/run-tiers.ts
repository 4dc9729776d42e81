/**
 * Runs the tiers named as arguments, one after the other or, joined by a plus sign, beside each other, and ends with each
 * tier's time and the sum of its tests: the line `N passed, N failed`. Exits 1 when a test failed, a tier ran no test, or jest itself failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface TierResult {
  tier: string;
  seconds: number;
  passed: number;
  failed: number;
}

/** The part of jest's JSON report that is summed. */
interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  /** Files that did not even load; each counts as one failure. */
  numRuntimeErrorTestSuites: number;
}

function readReport(file: string): JestReport | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JestReport;
  } catch {
    return undefined;
  }
}

/** How long jest may take to exit after its report; a handle that a test left behind must not stop the tiers after it. */
const EXIT_GRACE_MS = 60_000;

async function runTier(tier: string): Promise<TierResult> {
  const directory = mkdtempSync(join(tmpdir(), 'infer-tier-'));
  const report = join(directory, 'report.json');
  const started = Date.now();
  console.log(`\n=== ${tier} ===`);
  const jest = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      '--selectProjects',
      tier,
      '--json',
      '--outputFile',
      report,
      // The unit tier shares nothing; the others share a control plane or a node.
      ...(tier === 'unit' ? [] : ['--runInBand']),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  let patience: NodeJS.Timeout | undefined;
  const watchdog = setInterval(() => {
    if (!existsSync(report)) return;
    clearInterval(watchdog);
    patience = setTimeout(() => {
      console.log(`${tier}: jest has its report and does not exit; ending it. A test leaves something open.`);
      jest.kill('SIGKILL');
    }, EXIT_GRACE_MS);
  }, 1_000);
  const [code, signal] = (await once(jest, 'exit')) as [number | null, string | null];
  clearInterval(watchdog);
  clearTimeout(patience);
  const result = readReport(report);
  rmSync(directory, { recursive: true, force: true });
  const passed = result?.numPassedTests ?? 0;
  let failed = (result?.numFailedTests ?? 0) + (result?.numRuntimeErrorTestSuites ?? 0);
  if (failed === 0 && ((code !== 0 && signal !== 'SIGKILL') || passed === 0)) failed = 1;
  return { tier, seconds: (Date.now() - started) / 1000, passed, failed };
}

const tiers = process.argv.slice(2);
if (tiers.length === 0) {
  console.error('Name at least one tier, for example: node test/run-tiers.ts unit integration');
  process.exit(2);
}
const results: TierResult[] = [];
for (const group of tiers) results.push(...(await Promise.all(group.split('+').map(runTier))));
console.log('\ntier           seconds  passed  failed');
for (const { tier, seconds, passed, failed } of results) {
  console.log(
    `${tier.padEnd(14)} ${seconds.toFixed(1).padStart(7)} ${String(passed).padStart(7)} ${String(failed).padStart(7)}`,
  );
}
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
