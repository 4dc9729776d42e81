/** The options of `deploy` and `update` that are fields of the spec. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { positiveNumber, seconds, wholeNumber } from './parsers.ts';

export interface SpecOptions {
  hardwareProfile?: string;
  minReplicas?: number;
  maxReplicas?: number;
  targetRps?: number;
  targetLatency?: number;
  stabilisation?: number;
  revision?: string;
  hfToken?: string;
  hfTokenSecret?: string;
}

/** Adds them; `defaults` says what holds where one is not given, to `deploy` alone. */
export function addSpecOptions(command: Command, { defaults }: { defaults: boolean }): Command {
  const unless = (text: string): string => (defaults ? ` (default: ${text})` : '');
  const replicas = wholeNumber(0, 1000);
  return command
    .option(
      '-g, --hardware-profile <profile>',
      `what each replica runs on${unless("the catalogue's recommendation, else gpu.a100")}`,
    )
    .option('--min-replicas <number>', `fewest replicas; 0 sleeps without requests${unless('1')}`, replicas)
    .option(
      '--max-replicas <number>',
      `most replicas${unless('as many as the fewest, at least 1')}`,
      wholeNumber(1, 1000),
    )
    .option(
      '--target-rps <rate>',
      `requests per second that one replica is expected to serve${unless('10')}`,
      positiveNumber,
    )
    .option(
      '--target-latency <ms>',
      `milliseconds that 95 of 100 requests should stay below${unless('5000')}`,
      wholeNumber(1, 3_600_000),
    )
    .option(
      '--stabilisation <time>',
      `how long load must have been lower before replicas are removed, such as 300 or 5m${unless('300')}`,
      seconds,
    )
    .option('--revision <name>', `branch, tag or commit of the model${unless('main')}`)
    .option(
      '-t, --hf-token <source>',
      'Hugging Face token for a gated or private model: - reads it from standard input (or asks, unseen), @FILE from a ' +
        `file; the token itself works too, but stays in the history of your shell${unless('HF_TOKEN')}`,
    )
    .option('--hf-token-secret <name[:key]>', 'a Secret of the namespace that holds the token already (key: token)');
}

export interface WaitOptions {
  wait?: boolean;
  timeout: number;
}

/** Adds -w and --timeout. */
export function addWaitOptions(command: Command): Command {
  return command
    .option('-w, --wait', 'show the progress and return when it serves; exit code 4 with the diagnosis if it fails')
    .addOption(
      new Option('--timeout <time>', 'how long --wait waits, such as 90s, 30m or 2h')
        .argParser(seconds)
        .default(1800, '30m'),
    );
}
