import type { CommandDefinition } from './definition.ts';
import { addSpecOptions, addWaitOptions } from './spec-options.ts';
import type { SpecOptions, WaitOptions } from './spec-options.ts';

export type DeployOptions = SpecOptions & WaitOptions & { name?: string; dryRun?: boolean };

const EXAMPLES = `
Examples:
  infer deploy meta-llama/Llama-3.1-8B-Instruct -t - --wait     a gated model; asks for the token
  infer deploy llama-3.1-8b-instruct --max-replicas 3           a model of the catalogue (infer models)
  infer deploy claim:weights/llama-8b --name offline            a model that a volume holds
  infer deploy Qwen/Qwen3-8B --dry-run -o yaml > qwen.yaml      a manifest for Git; creates nothing`;

export const command: CommandDefinition = {
  name: 'deploy',
  summary: 'run a model as a new deployment',
  group: 'Deployments',
  configure: (command, run) => {
    command.argument('<model>', 'ORGANISATION/NAME at Hugging Face, a name of the catalogue, or claim:NAME/PATH');
    addSpecOptions(command, { defaults: true }).option(
      '--name <name>',
      'its id (default: made from the name of the model)',
    );
    addWaitOptions(command)
      .option('--dry-run', 'check it, print the manifest, and create nothing')
      .addHelpText('after', EXAMPLES)
      .action(
        run<DeployOptions>(async (context, [model = ''], options) => {
          const { deploy } = await import('../actions/deploy.ts');
          await deploy(context, model, options);
        }),
      );
  },
};
