import { Option, type Command } from 'commander';
import type { GatewayOptions } from '../gateway/access.ts';
import type { CreateKeyOptions, RevokeKeyOptions } from '../gateway/keys.ts';
import { list } from '../gateway/option-values.ts';
import type { CommandDefinition, Run } from './definition.ts';

const SCOPES = 'inference, files, view, admin';

export const command: CommandDefinition = {
  name: 'keys',
  summary: 'make, save, list and revoke the API keys of the namespace',
  group: 'Setting up',
  configure: (command, run) => {
    // `infer help` tells of these too.
    command.helpCommand(false);
    configureCreate(command.command('create'), run);
    command
      .command('save')
      .description('Keep a key that you were given, read from standard input or typed unseen, as create --save does.')
      .argument('<name>', 'of its APIKey')
      .option('--gateway <url>', 'send it there too (default: INFER_BASE_URL, else what the cluster tells)')
      .action(
        run<GatewayOptions>(async (context, [name = ''], options) => {
          const { saveApiKey } = await import('../gateway/keys.ts');
          await saveApiKey(context, name, options);
        }),
      );
    command
      .command('list')
      .description('List the keys of the namespace, and what each may do.')
      .action(
        run(async (context) => {
          const { listApiKeys } = await import('../gateway/keys.ts');
          await listApiKeys(context);
        }),
      );
    command
      .command('revoke')
      .description('End a key at once. Its APIKey stays, disabled, for what its usage and batches name.')
      .argument('<name>', 'the APIKey')
      .option('--delete', 'remove the APIKey too, so that its name is free')
      .option('--force', 'also where Argo CD or Flux keeps the resource')
      .action(
        run<RevokeKeyOptions>(async (context, [name = ''], options) => {
          const { revokeApiKey } = await import('../gateway/keys.ts');
          await revokeApiKey(context, name, options);
        }),
      );
  },
};

function configureCreate(command: Command, run: Run): void {
  command
    .description('Make a key and print it, alone, on standard output: it can be seen this once.')
    .argument('<name>', 'of the APIKey, for example team-a-web')
    .addOption(new Option('--scope <scopes>', `what it may do, of ${SCOPES} (default: inference)`).argParser(list))
    .addOption(
      new Option('--deployment <ids>', 'the deployments that it reaches (default: all of its namespace)').argParser(
        list,
      ),
    )
    .option('--expires <when>', 'until when it is valid: 90d, 12h, 2027-01-31 (default: for ever)')
    .option('--save', 'keep it for infer, in ~/.config/infer/keys.json, which only you can read')
    .option('--gateway <url>', 'with --save: send it there too (default: INFER_BASE_URL, else what the cluster tells)')
    .action(
      run<CreateKeyOptions>(async (context, [name = ''], options) => {
        const { createApiKey } = await import('../gateway/keys.ts');
        await createApiKey(context, name, options);
      }),
    );
}
