/** The dependency rule of CONTRIBUTING.md, over the sources themselves. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = resolve(import.meta.dirname, '../..');

function sources(path: string): string[] {
  if (path.endsWith('.ts')) return [path];
  return readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => join(path, name));
}

/** What a file imports at run time or as a type: packages by name, own files by their path from the root. */
function imports(file: string): { target: string; typeOnly: boolean }[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)\s(type\s)?(?:[^'";]*?\sfrom\s)?'([^']+)'/gm)].map(
    ([, type, target]) => ({
      target: target?.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), target)) : (target ?? ''),
      typeOnly: type !== undefined,
    }),
  );
}

/** Modules that do I/O or tell the time; a type imported from them is fine. */
const IMPURE = [
  /^node:/,
  /^undici$/,
  /^pino$/,
  /^prom-client$/,
  /^@kubernetes\//,
  /^@dot-i\//,
  /^@aws-sdk\//,
  /kube\/(?!types|conditions|managed-fields|hash)/,
];

describe('dependency rule', () => {
  const pure = [
    'src/operator/resources',
    'src/operator/diagnose',
    'src/operator/preflight',
    'src/operator/model-cache',
    'src/preflight/result.ts',
    'src/operator/plan.ts',
    'src/operator/batch-need.ts',
    'src/operator/refusals.ts',
    'src/operator/status.ts',
    'src/operator/deletion.ts',
    'src/operator/verdicts.ts',
    'src/operator/scaling-verdicts.ts',
    'src/operator/scaling-status.ts',
    'src/operator/replica-counts.ts',
    'src/operator/cost.ts',
    'src/operator/replica-list.ts',
    'src/operator/usage/checkpoint.ts',
    'src/operator/usage/lifetimes.ts',
    'src/operator/usage/price-display.ts',
    'src/operator/usage/token-rates.ts',
    'src/operator/live-view.ts',
    'src/operator/templates/plan-template.ts',
    'src/operator/templates/revisions.ts',
    'src/operator/templates/sources.ts',
    'src/operator/templates/spec-key.ts',
    'src/operator/templates/messages.ts',
    'src/autoscaler/decide.ts',
    'src/autoscaler/arrivals.ts',
    'src/autoscaler/buried.ts',
    'src/autoscaler/capacity.ts',
    'src/autoscaler/choose.ts',
    'src/autoscaler/demand.ts',
    'src/autoscaler/explain.ts',
    'src/autoscaler/latencies.ts',
    'src/autoscaler/learned.ts',
    'src/autoscaler/net.ts',
    'src/autoscaler/observation.ts',
    'src/autoscaler/recommendations.ts',
    'src/autoscaler/regret.ts',
    'src/autoscaler/slowdown.ts',
    'src/autoscaler/engine-track.ts',
    'src/autoscaler/contention.ts',
    'src/autoscaler/shown-learned.ts',
    'src/autoscaler/standing.ts',
    'src/autoscaler/live-count.ts',
    'src/autoscaler/load-view.ts',
    'src/autoscaler/recent-loads.ts',
    'src/autoscaler/traffic-history.ts',
    'src/channel/sealing-keys.ts',
    'src/autoscaler/victims.ts',
    'src/channel/histogram.ts',
    'src/store/blocks.ts',
    'src/store/folder-errors.ts',
    'src/store/keys.ts',
    'src/store/s3-errors.ts',
    'src/store/settings.ts',
    'src/gateway/balancer',
    'src/gateway/decode.ts',
    'src/gateway/endpoints.ts',
    'src/gateway/reach.ts',
    'src/gateway/session/cookie.ts',
    'src/gateway/session/sign-in-limit.ts',
    'src/gateway/view/convert.ts',
    'src/gateway/view/shapes.ts',
    'src/gateway/tracked-deployment.ts',
    'src/batch/batches/batch-object.ts',
    'src/batch/batches/create-request.ts',
    'src/batch/batches/page.ts',
    'src/batch/worker/concurrency.ts',
    'src/batch/worker/gateway-load.ts',
    'src/batch/worker/keys.ts',
    'src/batch/worker/needed-replicas.ts',
    'src/batch/worker/places.ts',
    'src/batch/worker/retry.ts',
    'src/batch/worker/state.ts',
    'src/batch/files/filename.ts',
    'src/batch/files/range.ts',
    'src/batch/files/upload-fields.ts',
    'src/batch/replica-time/join.ts',
    'src/batch/replica-time/rows.ts',
    'src/batch/replica-time/snapshots.ts',
    'src/cli/catalogue.ts',
    'src/cli/completion/words.ts',
    'src/cli/deployment-id.ts',
    'src/cli/gitops.ts',
    'src/cli/health.ts',
    'src/cli/near.ts',
    'src/cli/spec.ts',
    'src/cli/gateway/base-url.ts',
    'src/cli/gateway/batch-lines.ts',
    'src/cli/gateway/batch-object.ts',
    'src/cli/gateway/csv.ts',
    'src/cli/gateway/durations.ts',
    'src/cli/gateway/usage-rows.ts',
    'src/cli/output/deployments.ts',
    'src/cli/output/detail.ts',
    'src/cli/output/durations.ts',
    'src/cli/output/plan.ts',
    'src/cli/output/table.ts',
    'src/cli/output/usage.ts',
    'src/cli/output/wrap.ts',
    'src/cli/oldest-node.ts',
    'src/cli/printable.ts',
    'src/api/conditions.ts',
    'src/api/defaults.ts',
    'src/api/kubernetes.ts',
    'src/api/labels.ts',
    'src/api/model-names.ts',
    'src/api/quantity.ts',
    'src/api/replica-time.ts',
    'src/api/resources.ts',
  ];
  test.each(pure.flatMap(sources))('%s is pure', (file) => {
    const impure = imports(file).filter(
      ({ target, typeOnly }) => !typeOnly && IMPURE.some((rule) => rule.test(target)),
    );
    expect(impure).toEqual([]);
    expect(readFileSync(join(ROOT, file), 'utf8')).not.toMatch(
      /Date\.now\(\)|new Date\(\)|Math\.random\(\)|process\.env/,
    );
  });

  test.each(sources('src/kube'))('%s knows nothing of the product', (file) => {
    const product = imports(file).filter(({ target }) => target.startsWith('src/') && !target.startsWith('src/kube/'));
    expect(product).toEqual([]);
  });

  test('what "infer --help" loads is commander, definitions and nothing that is large', () => {
    const loaded = new Set<string>();
    const load = (file: string): void => {
      if (loaded.has(file)) return;
      loaded.add(file);
      if (!file.endsWith('.ts')) return;
      for (const { target, typeOnly } of imports(file)) if (!typeOnly) load(target);
    };
    load('src/cli/main.ts');
    // Which that loads unless Node is too old.
    load('src/cli/run.ts');
    const packages = [...loaded].filter((file) => !file.startsWith('src/'));
    expect(packages.toSorted()).toEqual(['commander', 'package.json']);
    expect(
      [...loaded].filter((file) =>
        /^src\/(?!cli\/)|^src\/cli\/(actions|cluster|output|gateway(?!\/option-values))\//.test(file),
      ),
    ).toEqual([]);
  });

  test('the page imports nothing but types of what the gateway shows', () => {
    const files = readdirSync(join(ROOT, 'src/dashboard'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /(?<!\.test)\.tsx?$/.test(name))
      .map((name) => join('src/dashboard', name));
    const own = /^(?:src\/dashboard\/|preact(?:\/hooks)?$|uplot$)/;
    const others = files.flatMap(imports).filter(({ target }) => !own.test(target));
    expect(files.length).toBeGreaterThan(20);
    expect([...new Set(others.map(({ target }) => target))]).toEqual(['src/gateway/view/shapes.ts']);
    expect(others.filter(({ typeOnly }) => !typeOnly)).toEqual([]);
  });

  test('nothing under src imports a test', () => {
    const offenders = sources('src').filter((file) => imports(file).some(({ target }) => target.startsWith('test/')));
    expect(offenders).toEqual([]);
  });
});
