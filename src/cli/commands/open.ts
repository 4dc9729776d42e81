import type { GatewayOptions } from '../gateway/access.ts';
import { gatewayOption } from '../gateway/option-values.ts';
import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'open',
  summary: 'open the web page of the deployments, or of one',
  group: 'Watching',
  configure: (command, run) => {
    command
      .argument('[id]', 'the deployment')
      .option('--no-browser', 'print the URL only, and forward a port where one is needed')
      .addOption(gatewayOption())
      .action(
        run<GatewayOptions & { browser: boolean }>(async (context, [id], options) => {
          const { openPage } = await import('../gateway/open.ts');
          await openPage(context, id, options);
        }),
      );
  },
};
