/** What people read who ask for help, of every command. */
import { PassThrough, Writable } from 'node:stream';
import type { Command } from 'commander';
import { expect, test } from '@jest/globals';
import type { Host } from './context.ts';
import { EXIT_CODE_MEANINGS } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { run } from './run.ts';

class Sink extends Writable {
  text = '';

  constructor() {
    super({
      write: (chunk, _, done) => {
        this.text += String(chunk);
        done();
      },
    });
  }
}

function host(): Host & { stdout: Sink; stderr: Sink } {
  return {
    stdout: new Sink(),
    stderr: new Sink(),
    stdin: new PassThrough(),
    env: {},
    now: () => new Date('2026-01-01T00:00:00Z'),
    signal: new AbortController().signal,
  };
}

function paths(command: Command, before: string[] = []): string[][] {
  return [before, ...command.commands.flatMap((one) => paths(one, [...before, one.name()]))];
}

test.each(paths(createProgram(host())).map((path) => [path.join(' ')]))('infer %s --help', async (path) => {
  const process = host();
  const args = [...path.split(' ').filter((word) => word !== ''), '--help'];
  expect(await run(args, process)).toBe(0);
  const help = process.stdout.text;
  expect(help).toMatchSnapshot();
  expect(help.split('\n').filter((line) => line.length > 110)).toEqual([]);
});

test('help of a command is the same by "infer help"', async () => {
  const [one, other] = [host(), host()];
  expect(await run(['help', 'deploy'], one)).toBe(0);
  await run(['deploy', '--help'], other);
  expect(one.stdout.text).toBe(other.stdout.text);
});

test('every exit code is documented once', async () => {
  const process = host();
  expect(await run(['help', 'exit-codes'], process)).toBe(0);
  expect(process.stdout.text).toMatchSnapshot();
  expect(new Set(EXIT_CODE_MEANINGS.map(([code]) => code)).size).toBe(EXIT_CODE_MEANINGS.length);
});

test.each([
  [['staus'], "unknown command 'staus'"],
  [['status', '--al'], "unknown option '--al'"],
  [['stop'], "missing required argument 'id'"],
  [['stop', 'a', 'b'], 'too many arguments'],
  [['status', '-o', 'csv'], 'Allowed choices are table, wide, json, yaml, name'],
  [['help', 'nothing'], 'There is no command nothing.'],
])('%j is wrong use, with what to do', async (args, message) => {
  const process = host();
  expect(await run(args, process)).toBe(2);
  const complaint = process.stderr.text;
  expect(complaint).toContain(message);
  expect(complaint).toMatch(/^Error: [^]*\nNext: {2}/);
  expect(process.stdout.text).toBe('');
});
