/** The load generator on the command line; `--help` says how. */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { LoadGenerator, type LoadOptions } from './generator.ts';
import { formatReport, zeroFailedViolation } from './report.ts';

const USAGE = `Sends chat completions at a rate, whatever the answers, and reports what became of each.

  INFER_BASE_URL=http://HOST:PORT/v1 INFER_API_KEY=KEY node test/load/main.ts --model MODEL [options]

  --model MODEL          what to ask (or MODEL in the environment)
  --rate N               requests per second on average (10)
  --duration SECONDS     without it until Ctrl-C
  --streams SHARE        share of requests that stream, 0 to 1 (0.5)
  --seed N               of arrivals and kinds (1)
  --max-tokens N         of each answer (32)
  --late-ms N            a first byte after this many milliseconds is late (10000)
  --timeout-ms N         a request without an end by then has failed (120000)
  --phase NAME           the first phase (start); each line on standard input begins another
  --expect-zero-failed   exit with 1 when a request failed or was cut, or none was sent

The last line of the output is the report as JSON.`;

interface CommandLine {
  options: LoadOptions;
  expectZeroFailed: boolean;
}

function number(name: string, value: string | undefined, fallback: number): number {
  const parsed = Number(value ?? fallback);
  if (!Number.isFinite(parsed) || parsed < 0)
    throw new Error(`--${name} must be a number of at least 0, not ${value}.`);
  return parsed;
}

function readCommandLine(): CommandLine | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      model: text,
      rate: text,
      duration: text,
      streams: text,
      seed: text,
      'max-tokens': text,
      'late-ms': text,
      'timeout-ms': text,
      phase: text,
      'expect-zero-failed': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const baseUrl = process.env['INFER_BASE_URL'];
  const model = values.model ?? process.env['MODEL'];
  if (baseUrl === undefined || model === undefined) throw new Error('INFER_BASE_URL and --model must be given.');
  const key = process.env['INFER_API_KEY'];
  const options: LoadOptions = {
    baseUrl,
    model,
    ...(key !== undefined && { key }),
    rate: number('rate', values.rate, 10),
    ...(values.duration !== undefined && { durationSeconds: number('duration', values.duration, 0) }),
    streamShare: number('streams', values.streams, 0.5),
    seed: number('seed', values.seed, 1),
    maxTokens: number('max-tokens', values['max-tokens'], 32),
    lateAfterMs: number('late-ms', values['late-ms'], 10_000),
    timeoutMs: number('timeout-ms', values['timeout-ms'], 120_000),
    phase: values.phase ?? 'start',
  };
  return { options, expectZeroFailed: values['expect-zero-failed'] };
}

async function main(): Promise<void> {
  const commandLine = readCommandLine();
  if (commandLine === undefined) {
    console.log(USAGE);
    return;
  }
  const generator = new LoadGenerator(commandLine.options);
  const lines = createInterface({ input: process.stdin }).on('line', (name) => {
    if (name.trim() !== '') generator.phase(name.trim());
  });
  process.once('SIGINT', () => void generator.stop()).once('SIGTERM', () => void generator.stop());
  const report = await generator.finished;
  lines.close();
  process.stdin.destroy();
  const violation = commandLine.expectZeroFailed ? zeroFailedViolation(report) : undefined;
  if (violation !== undefined) {
    console.error(violation);
    process.exitCode = 1;
  }
  console.log(formatReport(report));
  console.log(JSON.stringify(report));
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  console.error('See: node test/load/main.ts --help');
  process.exitCode = 2;
}
