import { describe, expect, test } from '@jest/globals';
import { hardwareProfile, inferenceDeployment, INSTALL } from '../../../test/support/resources.ts';
import type { InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import type { Container } from '../../api/kubernetes.ts';
import { buildDeployment } from './deployment.ts';

const SQL = { name: 'sql', id: 'org/lora-sql', revision: 'v1.0' };
const PYTHON = { name: 'python', id: 'org/lora-python' };

function containers(
  spec: Partial<InferenceDeploymentSpec>,
  options: { args?: string[]; ranks?: number[] } = {},
): { download: Container | undefined; args: string[] } {
  const { args, ranks } = options;
  const adapters = ranks?.map((rank, nth) => ({ name: `adapter-${nth}`, commit: 'f'.repeat(40), rank }));
  const { template } = buildDeployment({
    resource: inferenceDeployment(spec),
    profile: hardwareProfile(args && { args }).spec,
    catalogueEngine: undefined,
    known: adapters && { adapters },
    replicas: 0,
    strategy: { maxSurge: 1, maxUnavailable: 0 },
    install: INSTALL,
  }).spec;
  return { download: template.spec.initContainers?.[0], args: template.spec.containers[0]?.args ?? [] };
}

/** The value that argparse takes. */
function last(args: readonly string[], flag: string): string | undefined {
  return args.findLast((arg) => arg.startsWith(`${flag}=`))?.slice(flag.length + 1);
}

/** What stands between a flag and the next one. */
function valuesOf(args: readonly string[], flag: string): string[] {
  const rest = args.slice(args.indexOf(flag) + 1);
  return rest.slice(
    0,
    rest.findIndex((arg) => arg.startsWith('--')),
  );
}

describe('adapters', () => {
  test('none: a pod that knows nothing of them', () => {
    expect(JSON.stringify(containers({}))).not.toMatch(/lora|adapter/i);
    expect(containers({ adapters: [] })).toEqual(containers({}));
  });

  test('are brought by the download container, each to where the engine is told to look', () => {
    const { download, args } = containers({ adapters: [SQL, PYTHON] });
    const setting = download?.env?.find(({ name }) => name === 'INFER_ADAPTERS')?.value ?? '';
    const [sql, python] = ['sql', 'python'].map((name) => `/var/lib/infer/model/.infer/adapters/${name}`);
    expect(JSON.parse(setting)).toEqual([
      { id: 'org/lora-sql', revision: 'v1.0', directory: sql },
      { id: 'org/lora-python', revision: 'main', directory: python },
    ]);
    expect(args).toContain('--enable-lora');
    expect(valuesOf(args, '--lora-modules')).toEqual([`chat:sql=${sql}`, `chat:python=${python}`]);
  });

  test('lie in the claim where the model does', () => {
    const model = { claim: { name: 'weights', path: 'llama' } };
    const { download, args } = containers({ model, adapters: [{ name: 'sql', path: 'loras/sql' }] });
    expect(download).toBeUndefined();
    expect(valuesOf(args, '--lora-modules')).toEqual(['chat:sql=/var/lib/infer/model/loras/sql']);
  });

  test.each([
    [[], '64'],
    [[1], '1'],
    [[9, 4], '16'],
    [[8, 64], '64'],
    [[257], '320'],
    [[4096], '512'],
  ])('of ranks %j are held as rank %s, the next that vLLM supports', (ranks, held) => {
    const options = { ranks };
    expect(last(containers({ adapters: [SQL] }, options).args, '--max-lora-rank')).toBe(held);
  });

  test('take part in a batch up to eight, and a profile may say otherwise', () => {
    const many = Array.from({ length: 32 }, (_, at) => ({ name: `a${at}`, id: 'org/lora' }));
    expect(last(containers({ adapters: [SQL, PYTHON] }).args, '--max-loras')).toBe('2');
    expect(last(containers({ adapters: many }).args, '--max-loras')).toBe('8');
    const { args } = containers({ adapters: many }, { args: ['--max-loras=32', '--max-lora-rank=16'] });
    expect([last(args, '--max-loras'), last(args, '--max-lora-rank')]).toEqual(['32', '16']);
  });
});
