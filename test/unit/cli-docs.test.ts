import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { EXIT_CODE_MEANINGS } from '../../src/cli/exit-codes.ts';
import { deploymentColumns } from '../../src/cli/output/deployments.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');

test.each(COMMANDS.filter(({ name }) => name !== 'help').map(({ name }) => name))(
  'the guide has infer %s in its table',
  (name) => {
    expect(guide).toMatch(new RegExp(`^\\| .*\`infer ${name}\\b.*\\|`, 'm'));
  },
);

test.each(EXIT_CODE_MEANINGS)('the guide says what exit code %d means', (code, meaning) => {
  const row = new RegExp(`^\\| +${code} \\| (.*?) +\\|$`, 'm').exec(guide)?.[1];
  expect(row?.replaceAll('`', '')).toBe(meaning);
});

test('the guide names the columns in the order in which a narrow terminal loses them', () => {
  const order = deploymentColumns(new Date())
    .filter(({ wide, drop }) => wide !== true && drop !== undefined)
    .toSorted((a, b) => (a.drop ?? 0) - (b.drop ?? 0))
    .map(({ header }) => header.replace('(MS)', ''));
  expect(guide.replaceAll(/\s+/g, ' ')).toContain(`then loses columns (${order.join(', ')}`);
});
