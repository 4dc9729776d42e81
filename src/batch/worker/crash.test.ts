/** A worker that dies, or is stopped and goes on, at every point where it has an effect. */
import { describe, expect, test } from '@jest/globals';
import { BatchWorld, inputLines, NAMESPACE, never } from '../../../test/support/batch-world.ts';
import type { Hook, Process } from '../../../test/support/batch-world.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { unlessAborted } from '../../kube/abortable.ts';
import { metaKey } from '../files/file-object.ts';

const LINES = 24;
const TOGETHER = 40;

type Scenario = 'completes' | 'is cancelled' | 'expires';

const FINAL = { completes: 'Completed', 'is cancelled': 'Cancelled', expires: 'Expired' } as const;

async function worldOf(scenario: Scenario): Promise<BatchWorld> {
  const world = new BatchWorld();
  world.addBatch(await world.addFile(inputLines(LINES)));
  let asked = 0;
  world.respond = async (body, _raw, signal) => {
    asked += 1;
    if (asked > 6) {
      if (scenario === 'is cancelled') world.cancel();
      if (scenario === 'expires') await neverInTime(world, signal);
    }
    const bad = JSON.stringify(body).includes('request-3"');
    return bad ? { status: 400, body: Buffer.from('{"error":{"code":"invalid_value"}}') } : {};
  };
  return world;
}

/** The window ends while the request is in flight. */
async function neverInTime(world: BatchWorld, signal: AbortSignal): Promise<void> {
  world.wallOffsetMs = 25 * 3_600_000;
  await unlessAborted(never(), signal);
}

/** Runs the batch in a world of its own, with `hook` around what its first process does; a second one follows. */
async function run(scenario: Scenario, hook: (world: BatchWorld, first: () => Process) => Hook): Promise<BatchWorld> {
  const world = await worldOf(scenario);
  let first: Process | undefined;
  const current = (): Process => {
    if (first === undefined) throw new Error('it has not started');
    return first;
  };
  first = world.start(hook(world, current));
  const second = world.start();
  await eventually(() => expect(world.state()).toBe(FINAL[scenario]), 30_000, 20);
  await eventually(() => expect(world.batch()?.metadata.finalizers).toEqual([]), 30_000, 20);
  first.kill();
  await second.worker.stop(0);
  return world;
}

async function expectExactlyOnce(world: BatchWorld, scenario: Scenario): Promise<void> {
  const { status } = world.batch() ?? {};
  const output = await world.lines(status?.outputFileId);
  const errors = await world.lines(status?.errorFileId);
  const ids = [...output, ...errors].map((line) => String(line['custom_id'])).sort();
  expect(ids).toEqual(Array.from({ length: LINES }, (_, index) => `request-${index}`).sort());
  expect(status?.requests).toEqual({ total: LINES, completed: output.length, failed: errors.length });
  expect(status?.usage).toEqual({
    promptTokens: 3 * output.length,
    cachedTokens: 0,
    completionTokens: 2 * output.length,
  });
  if (scenario === 'completes') expect(output).toHaveLength(LINES - 1);
  for (const line of output)
    expect(line).toMatchObject({ response: { body: { echo: line['custom_id'] } }, error: null });
  const files = [status?.outputFileId, status?.errorFileId].flatMap((id) =>
    id === undefined ? [] : [metaKey(NAMESPACE, id)],
  );
  const input = metaKey(NAMESPACE, world.batch()?.spec.inputFileId ?? '');
  expect(world.keys(`files/${NAMESPACE}/meta/`)).toEqual([...files, input].sort());
}

/** Returns every point of a run: operation, how often it came before, phase. */
async function pointsOf(scenario: Scenario): Promise<string[]> {
  const points: string[] = [];
  await run(scenario, () => counting((point) => void points.push(point)));
  return points;
}

/** Calls `visit` with the name of each point. */
function counting(visit: (point: string) => void | Promise<void>): Hook {
  const seen = new Map<string, number>();
  return async (operation, phase) => {
    const name = `${phase} ${operation}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    await visit(`${name} #${count}`);
  };
}

async function inChunks<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += TOGETHER) {
    await Promise.all(items.slice(start, start + TOGETHER).map(work));
  }
}

describe.each<Scenario>(['completes', 'is cancelled', 'expires'])('a batch that %s', (scenario) => {
  test('has each request once after a crash at any point, and repeats only what was in flight', async () => {
    const points = await pointsOf(scenario);
    expect(points.length).toBeGreaterThan(40);
    const problems: string[] = [];
    await inChunks(points, async (point) => {
      let inFlight = 0;
      const world = await run(scenario, (world, process) =>
        counting(async (at) => {
          if (at !== point) return;
          const durable = world
            .keys('batches/')
            .filter((key) => /\/(output|error)\//.test(key))
            .reduce(
              (sum, key) => sum + (world.store.objects.get(key)?.content.toString().split('\n').length ?? 1) - 1,
              0,
            );
          inFlight = world.state() === 'InProgress' || world.state() === 'Cancelling' ? world.sent.length - durable : 0;
          process().kill();
          await never();
        }),
      );
      try {
        await expectExactlyOnce(world, scenario);
        expect(world.keys('batches/')).toEqual([]);
        const repeated = world.sent.length - new Set(world.sent).size;
        expect(repeated).toBeLessThanOrEqual(Math.max(inFlight, 0));
      } catch (error) {
        problems.push(`${point}: ${String(error)}`);
      }
    });
    expect(problems).toEqual([]);
  }, 60_000);

  test('has each request once where its process was stopped at any point and goes on beside the next', async () => {
    const points = await pointsOf(scenario);
    const problems: string[] = [];
    await inChunks(points, async (point) => {
      const world = await run(scenario, (_world, process) =>
        counting(async (at) => {
          if (at !== point) return;
          process().loseClaims(300);
          await new Promise((resolve) => setTimeout(resolve, 150));
        }),
      );
      try {
        await expectExactlyOnce(world, scenario);
      } catch (error) {
        problems.push(`${point}: ${String(error)}`);
      }
    });
    expect(problems).toEqual([]);
  }, 60_000);
});
