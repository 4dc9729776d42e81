import { Option, type Command } from 'commander';
import type { GatewayOptions } from '../gateway/access.ts';
import type { ResultsOptions } from '../gateway/batch-results.ts';
import type { SubmitOptions } from '../gateway/batch-submit.ts';
import { gatewayOption, number, wholeNumber } from '../gateway/option-values.ts';
import type { CommandDefinition, Run } from './definition.ts';

const ENDPOINTS = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'];

export const command: CommandDefinition = {
  name: 'batch',
  summary: 'submit a file of requests that are in no hurry, and get the answers',
  group: 'Requests',
  configure: (command, run) => {
    // `infer help` tells of these too.
    command.helpCommand(false);
    configureSubmit(command.command('submit'), run);
    configureStatus(command.command('status'), run);
    command
      .command('list')
      .description('List batches, the newest first.')
      .option('--limit <count>', 'the most that are listed', wholeNumber(1), 20)
      .addOption(gatewayOption())
      .action(
        run<GatewayOptions & { limit: number }>(async (context, _, options) => {
          const { listBatches } = await import('../gateway/batch.ts');
          await listBatches(context, options);
        }),
      );
    command
      .command('cancel')
      .description('End a batch; what was done of it can be downloaded.')
      .argument('<batch>', 'the id of the batch')
      .addOption(gatewayOption())
      .action(
        run<GatewayOptions>(async (context, [id = ''], options) => {
          const { cancelBatch } = await import('../gateway/batch.ts');
          await cancelBatch(context, id, options);
        }),
      );
    configureResults(command.command('results'), run);
  },
};

function configureSubmit(command: Command, run: Run): void {
  command
    .description('Upload requests and make a batch of them; prints its id. They are done within 24 hours.')
    .argument('<file>', 'JSONL as of the Batch API, or prompts with --prompts')
    .option('-d, --deployment <id>', 'the deployment of all requests (default: that which each line names)')
    .addOption(
      new Option('--endpoint <path>', "which API (default: the first line's url; with --prompts chat)").choices(
        ENDPOINTS,
      ),
    )
    .option('--prompts', 'the file has a prompt a line, or is a .csv with a column "prompt" (and "custom_id")')
    .option('--system <text>', 'with --prompts: how the model is to behave')
    .option('--max-tokens <count>', 'with --prompts: the longest answer', wholeNumber(1))
    .option('--temperature <value>', 'with --prompts: 0 for the likeliest words, up to 2', number(0, 2))
    .option('-w, --wait', 'show how it proceeds until it has ended')
    .addOption(gatewayOption())
    .action(
      run<SubmitOptions>(async (context, [file = ''], options) => {
        const { submitBatch } = await import('../gateway/batch-submit.ts');
        await submitBatch(context, file, options);
      }),
    );
}

function configureStatus(command: Command, run: Run): void {
  command
    .description('Show how a batch stands.')
    .argument('[batch]', 'the id of the batch (default: the newest)')
    .option('-w, --wait', 'show how it proceeds until it has ended')
    .addOption(gatewayOption())
    .action(
      run<GatewayOptions & { wait?: boolean }>(async (context, [id], options) => {
        const { batchStatus } = await import('../gateway/batch.ts');
        await batchStatus(context, id, options);
      }),
    );
}

function configureResults(command: Command, run: Run): void {
  command
    .description('Download the answers of a batch: JSONL, each with its custom_id, in any order.')
    .argument('<batch>', 'the id of the batch')
    .option('--to <file>', 'the file to write; it is there as a whole or not at all (default: standard output)')
    .option('--errors', 'the requests that failed instead')
    .addOption(gatewayOption())
    .action(
      run<ResultsOptions>(async (context, [id = ''], options) => {
        const { batchResults } = await import('../gateway/batch-results.ts');
        await batchResults(context, id, options);
      }),
    );
}
