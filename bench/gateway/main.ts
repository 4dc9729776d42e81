/**
 * `make bench-gateway`: the gateway beside what could stand in its place, before the same engine, in one run on this
 * machine: the engine itself, a bare proxy of Node's http and undici, and nginx. For each scenario the requests per
 * second that each holds, its processor time for one, and the latencies at a fixed rate. Rounds alternate between the
 * targets, since a machine changes its pace. Ends with a line of JSON. Linux only.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism, loadavg } from 'node:os';
import { createKey } from '../../src/gateway/auth/key.ts';
import { startProgress } from '../command-line.ts';
import { atRate, saturate } from './measure.ts';
import { BARE, DIRECT, formatRows, GATEWAY, losses, Measured, rowsOf, type Results } from './results.ts';
import { requestBytes, SCENARIOS, type Scenario } from './scenarios.ts';
import { cpuSeconds, startModule, startNginx, type Target } from './targets.ts';

const ROUNDS = 5;
/** The compiler of JavaScript needs a few thousand requests until it has done its best. */
const WARM_UP_MS = 1_800;
const SATURATE_MS = 900;
const AT_RATE_MS = 1_000;

const started = performance.now();
const progress = startProgress(1);

const place = { namespace: 'bench', name: 'bench' };
const { key, keyId, hash } = createKey({ ...place, randomBytes });

async function startTargets(): Promise<Target[]> {
  const engine = await startModule(DIRECT, 'engine.ts', {});
  const url = `http://127.0.0.1:${engine.port}`;
  const targets = [engine, await startModule(BARE, 'bare-proxy.ts', { ENGINE: url })];
  try {
    targets.push(await startNginx(engine.port, progress));
  } catch (error) {
    progress(`without nginx: ${(error as Error).message}`);
  }
  targets.push(await startModule(GATEWAY, 'gateway.ts', { ENGINE: url, KEY_ID: keyId, KEY_HASH: hash }));
  return targets;
}

async function measure(target: Target, scenario: Scenario, measured: Measured, round: number): Promise<void> {
  const { port, pid } = target;
  const request = requestBytes(scenario, key);
  const before = cpuSeconds(pid);
  const full = await saturate(port, request, scenario.connections, SATURATE_MS);
  const used = cpuSeconds(pid) - before;
  measured.perSecond.push(full.ok / full.seconds);
  measured.cpuMicroseconds.push((used * 1e6) / full.ok);
  // The same arrivals for every target.
  const load = { rate: scenario.rate, durationMs: AT_RATE_MS, seed: round + 1 };
  const steady = await atRate(port, request, load, measured.latencies);
  measured.failed += full.failed + steady.failed;
}

async function run(targets: readonly Target[]): Promise<Results> {
  const results: Results = new Map(
    SCENARIOS.map(({ name }) => [name, new Map(targets.map((target) => [target.name, new Measured()]))]),
  );
  for (const scenario of SCENARIOS) {
    for (const target of targets) {
      const { ok } = await saturate(target.port, requestBytes(scenario, key), scenario.connections, WARM_UP_MS);
      if (ok === 0) throw new Error(`${target.name} answered no request of "${scenario.name}".`);
    }
    for (let round = 0; round < ROUNDS; round++) {
      progress(`${scenario.name}, round ${round + 1} of ${ROUNDS}`);
      for (const target of targets) {
        const measured = results.get(scenario.name)?.get(target.name);
        if (measured !== undefined) await measure(target, scenario, measured, round);
      }
    }
  }
  return results;
}

const [loadBefore = 0] = loadavg();
const targets = await startTargets();
try {
  const rows = rowsOf(await run(targets));
  console.log(`\nFirst byte and end in milliseconds; below "${DIRECT}" what is added to it.\n`);
  console.log(formatRows(rows));
  console.log();
  for (const line of losses(rows)) console.log(line);
  if (loadBefore > 0.5) {
    const busy = loadBefore.toFixed(1);
    console.log(
      `The machine was busy before the start (load average ${busy}): the ratios of CPU tell most, p99 least.`,
    );
  }
  const ratios = rows
    .filter(({ target }) => target === GATEWAY)
    .map((row) => [row.scenario, { requestsPerSecond: row.ratioToBareProxy, cpu: row.cpuRatioToBareProxy }]);
  const seconds = Math.round((performance.now() - started) / 1000);
  const machine = { cores: availableParallelism(), loadBefore };
  console.log(JSON.stringify({ ratiosToBareProxy: Object.fromEntries(ratios), seconds, ...machine, rows }));
} finally {
  for (const target of targets.toReversed()) await target.stop();
}
