import type { CommandDefinition } from './definition.ts';
import { addSpecOptions, addWaitOptions } from './spec-options.ts';
import type { SpecOptions, WaitOptions } from './spec-options.ts';

export type UpdateOptions = SpecOptions & WaitOptions & { restart?: boolean; dryRun?: boolean; force?: boolean };

const EXAMPLES = `
Without a flag it takes what is newer: an edited hardware profile or catalogue model, a newer Infer.

Examples:
  infer update llama-8b --min-replicas 2 --max-replicas 4
  infer update llama-8b --wait             takes what is newer, and waits until it serves`;

export const command: CommandDefinition = {
  name: 'update',
  summary: 'change a deployment, or take what is newer',
  group: 'Deployments',
  configure: (command, run) => {
    addSpecOptions(command.argument('<id>', 'the deployment'), { defaults: false });
    addWaitOptions(command)
      .option('--restart', 'replace the replicas also where nothing is newer')
      .option('--dry-run', 'check it, print the result, and change nothing')
      .option('--force', 'also where Argo CD or Flux keeps the resource')
      .addHelpText('after', EXAMPLES)
      .action(
        run<UpdateOptions>(async (context, [id = ''], options) => {
          const { update } = await import('../actions/update.ts');
          await update(context, id, options);
        }),
      );
  },
};
