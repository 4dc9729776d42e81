import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { runCli, startCli, type CliResult } from '../../../test/support/cli-run.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { answerJson, startHttpStub, type Handler, type HttpStub } from '../../../test/support/http-stub.ts';

let gateway: HttpStub;
afterEach(async () => await gateway.close());

async function serve(handle: Handler): Promise<Record<string, string>> {
  gateway = await startHttpStub(handle);
  return { INFER_BASE_URL: `${gateway.url}/v1`, INFER_API_KEY: 'infer_key' };
}

function chunk(text: string, finishReason: string | null = null): string {
  return `data: ${JSON.stringify({ choices: [{ delta: { content: text }, finish_reason: finishReason }] })}\n\n`;
}

function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
}

function answer(response: ServerResponse, text: string, finishReason = 'stop'): void {
  stream(response);
  response.end(`${chunk(text)}${chunk('', finishReason)}data: [DONE]\n\n`);
}

function refuse(response: ServerResponse, status: number, code: string, headers = {}): void {
  answerJson(response, { error: { message: `It is ${code}.`, type: 'x', param: null, code } }, status, headers);
}

/** The body of the last request. */
function sent(): unknown {
  return JSON.parse(gateway.requests.at(-1)?.body ?? '');
}

test('the answer streams to standard output, alone, with the key in no argument', async () => {
  const env = await serve((_, response) => answer(response, 'Good morning.'));
  const args = [
    'chat',
    '-d',
    'llama',
    '-p',
    'Hello',
    '--system',
    'Be brief.',
    '--max-tokens',
    '5',
    '--temperature',
    '0',
  ];
  expect(await runCli(args, { env })).toEqual({ code: 0, stdout: 'Good morning.\n', stderr: '' });
  expect(gateway.requests[0]).toMatchObject({
    path: '/v1/chat/completions',
    headers: { authorization: 'Bearer infer_key' },
  });
  expect(sent()).toEqual({
    model: 'llama',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
    ],
    max_tokens: 5,
    temperature: 0,
    stream: true,
  });
});

test('each piece is written when it comes', async () => {
  let response: ServerResponse | undefined;
  const env = await serve((_, reply) => {
    response = reply;
    stream(reply);
    reply.write(chunk('Good '));
  });
  const cli = startCli(['chat', '-d', 'llama', '-p', 'Hello'], { env });
  cli.stdin.end();
  await eventually(async () => expect(cli.stdout()).toBe('Good '));
  response?.end(`${chunk('morning', 'length')}data: [DONE]\n\n`);
  const { code, stdout, stderr } = await cli.ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'Good morning\n' });
  expect(stderr).toMatch(/cut at the most tokens/);
});

test('what is piped in is asked, behind a prompt only where that is wanted', async () => {
  const env = await serve((_, response) => answer(response, 'Yes.'));
  await runCli(['chat', '-d', 'llama', '-p', 'Is it good?'], { env, input: 'A review.\n' });
  expect(sent()).toMatchObject({ messages: [{ role: 'user', content: 'Is it good?' }] });
  await runCli(['chat', '-d', 'llama', '-p', '-'], { env, input: 'Hello\n' });
  expect(sent()).toMatchObject({ messages: [{ role: 'user', content: 'Hello' }] });
  await runCli(['chat', '-d', 'llama', '-p', 'Is it good?', '--stdin'], { env, input: 'A review.\n' });
  expect(sent()).toMatchObject({ messages: [{ role: 'user', content: 'Is it good?\n\nA review.' }] });
  await runCli(['chat', '-d', 'llama'], { env, input: 'Hello\n' });
  expect(sent()).toMatchObject({ messages: [{ role: 'user', content: 'Hello' }] });
  expect((await runCli(['chat', '-d', 'llama'], { env })).code).toBe(2);
});

test.each([
  ['a file', 'text', true],
  ['a pipe', 'pipe', true],
  ['an empty file', 'empty', false],
  ['nothing', '/dev/null', false],
])('that standard input is %s and is not read is said where somebody may have meant it', async (_, file, isSaid) => {
  const env = await serve((_request, response) => answer(response, 'Yes.'));
  const directory = await mkdtemp(join(tmpdir(), 'infer-chat-'));
  await writeFile(join(directory, 'text'), 'A report.');
  await writeFile(join(directory, 'empty'), '');
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  // For both: a pipe is not opened to be read before somebody writes.
  const input = await open(resolve(directory, file), 'r+');
  const note = 'Standard input is not read; use --stdin to have it follow the prompt.\n';
  const cli = startCli(['chat', '-d', 'llama', '-p', 'Summarise'], { env });
  Object.assign(cli.stdin, { fd: input.fd });
  expect(await cli.ended).toEqual({ code: 0, stdout: 'Yes.\n', stderr: isSaid ? note : '' });
  const withIt = startCli(['chat', '-d', 'llama', '-p', 'Summarise', '--stdin'], { env });
  Object.assign(withIt.stdin, { fd: input.fd });
  withIt.stdin.end('A report.');
  expect(await withIt.ended).toMatchObject({ code: 0, stderr: '' });
  await input.close();
  await rm(directory, { recursive: true });
});

test('a prompt does not wait for standard input to end', async () => {
  const env = await serve((_, response) => answer(response, 'Yes.'));
  const cli = startCli(['chat', '-d', 'llama', '-p', 'Hello'], { env });
  cli.stdin.write('the next line of a loop\n');
  expect(await cli.ended).toMatchObject({ code: 0, stdout: 'Yes.\n' });
  expect(String(cli.stdin.read())).toBe('the next line of a loop\n');
});

test.each(['reasoning_content', 'reasoning'])(
  'what a model thinks (%s) is shown in a terminal alone',
  async (field) => {
    const env = await serve((_, response) => {
      stream(response);
      response.write(`data: ${JSON.stringify({ choices: [{ delta: { [field]: 'Hm\u001b[31m' } }] })}\n\n`);
      response.end(`${chunk('Yes.', 'stop')}data: [DONE]\n\n`);
    });
    const args = ['chat', '-d', 'llama', '-p', 'Hello'];
    expect(await runCli(args, { env })).toEqual({ code: 0, stdout: 'Yes.\n', stderr: '' });
    const cli = startCli(args, { env, terminal: true });
    expect(await cli.ended).toEqual({ code: 0, stdout: 'Yes.\n', stderr: '\u001b[2mHm[31m\u001b[0m\n' });
  },
);

test('an answer without a word is told, and no success', async () => {
  const env = await serve((_, response) => answer(response, '', 'length'));
  expect(await runCli(['chat', '-d', 'llama', '-p', 'Hello'], { env })).toEqual({
    code: 1,
    stdout: '',
    stderr: 'Error: llama gave an empty answer (length).\nNext:  Allow it more tokens: --max-tokens.\n',
  });
});

test('with one deployment it need not be named; with several they are listed', async () => {
  let ids = ['llama', 'llama:adapter'];
  const env = await serve(({ path }, response) => {
    if (path !== '/v1/models') return answer(response, 'Yes.');
    answerJson(response, { data: ids.map((id) => ({ id, ...(id.includes(':') && { parent: 'llama' }) })) });
  });
  expect((await runCli(['chat', '-p', 'Hello'], { env })).stdout).toBe('Yes.\n');
  expect(sent()).toMatchObject({ model: 'llama' });
  ids = ['llama', 'mistral'];
  expect(await runCli(['chat', '-p', 'Hello'], { env })).toEqual({
    code: 2,
    stdout: '',
    stderr: 'Error: There are several deployments: llama, mistral.\nNext:  Choose one by -d ID.\n',
  });
});

test('a replica that starts is waited for, and that is told', async () => {
  let asked = 0;
  const env = await serve((_, response) => {
    asked += 1;
    if (asked === 1) return refuse(response, 503, 'model_not_ready', { 'retry-after': '0' });
    stream(response);
    response.write(': waiting for a replica\n\n');
    if (asked === 2) {
      // Only after its head is the gateway sure that none comes.
      return void response.end('data: {"error":{"message":"Full.","code":"queue_full"}}\n\n');
    }
    response.end(`${chunk('Here.', 'stop')}data: [DONE]\n\n`);
  });
  const { code, stdout, stderr } = await runCli(['chat', '-d', 'llama', '-p', 'Hello'], { env });
  expect({ code, stdout, asked }).toEqual({ code: 0, stdout: 'Here.\n', asked: 3 });
  // Within ten seconds that is told once.
  expect(stderr).toBe('It is model_not_ready. infer does so by itself; Ctrl-C ends it.\n');
}, 15_000);

test('patience has an end', async () => {
  const env = await serve((_, response) => refuse(response, 503, 'model_not_ready', { 'retry-after': '30' }));
  const { code, stderr } = await runCli(['chat', '-d', 'llama', '-p', 'Hello', '--wait-timeout', '10'], { env });
  expect({ code, stderr }).toEqual({
    code: 4,
    stderr: 'Error: It is model_not_ready.\nNext:  See why: infer status ID.\n',
  });
});

test.each<[string, number, string, number, RegExp]>([
  ['a key that is not valid', 401, 'invalid_api_key', 1, /infer keys create/],
  ['a key without the scope', 403, 'missing_scope', 1, /--scope/],
  ['an unknown deployment', 404, 'model_not_found', 3, /infer models/],
  ['one that was stopped', 503, 'model_suspended', 4, /infer start/],
  ['a request that is wrong', 400, 'context_length_exceeded', 1, /Change the request/],
])('%s is told with the next step', async (_, status, code, exitCode, next) => {
  const env = await serve((_request, response) => refuse(response, status, code, { 'x-should-retry': 'false' }));
  const result = await runCli(['chat', '-d', 'llama', '-p', 'Hello'], { env });
  expect(result).toMatchObject({ code: exitCode, stdout: '' });
  expect(result.stderr).toMatch(new RegExp(`^Error: It is ${code}\\.\nNext: .*${next.source}`));
});

test('an answer that breaks off is no success', async () => {
  const env = await serve((_, response) => {
    stream(response);
    response.write(chunk('Good '), () => response.destroy());
  });
  const result = await runCli(['chat', '-d', 'llama', '-p', 'Hello'], { env });
  expect(result).toMatchObject({ code: 6, stdout: 'Good \n' });
  expect(result.stderr).toMatch(/^Error: The answer broke off/);
});

async function hello(settings: Record<string, string>): Promise<CliResult> {
  const env = { HOME: '/nonexistent', ...settings };
  return await runCli(['chat', '-d', 'llama', '-p', 'Hello'], { env });
}

test('without a gateway, without a key, with a URL that is none', async () => {
  const env = await serve(() => undefined);
  await gateway.close();
  expect(await hello(env)).toMatchObject({ code: 6, stderr: expect.stringMatching(/gave no answer.*ECONNREFUSED/) });
  const { INFER_BASE_URL = '' } = env;
  expect(await hello({ INFER_BASE_URL, KUBECONFIG: '/nonexistent/config' })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/There is no API key.*\nNext:.*infer keys create NAME/),
  });
  expect(await hello({ ...env, INFER_BASE_URL: 'infer' })).toMatchObject({ code: 2 });
  gateway = await startHttpStub(() => undefined);
});

test('Ctrl-C ends the request at the gateway too', async () => {
  let gone = false;
  const env = await serve((_, response) => {
    response.once('close', () => (gone = true));
    stream(response);
    response.write(chunk('One, two, '));
  });
  const cli = startCli(['chat', '-d', 'llama', '-p', 'Count'], { env });
  cli.stdin.end();
  await eventually(async () => expect(cli.stdout()).toBe('One, two, '));
  cli.interrupt();
  expect((await cli.ended).code).toBe(130);
  await eventually(async () => expect(gone).toBe(true));
});

test('a conversation remembers, forgets on demand, and ends', async () => {
  const env = await serve(({ body }, response) => {
    const { messages } = JSON.parse(body) as { messages: unknown[] };
    answer(response, `answer ${messages.length}`);
  });
  const cli = startCli(['chat', '-d', 'llama', '--system', 'Be brief.'], { env, terminal: true });
  cli.stdin.write('one\n\ntwo\n');
  await eventually(async () => expect(cli.stdout()).toBe('answer 2\nanswer 4\n'));
  expect(sent()).toMatchObject({ messages: [{}, {}, { content: 'answer 2' }, { content: 'two' }] });
  cli.stdin.write('/reset\nthree\n');
  await eventually(async () => expect(cli.stdout()).toBe('answer 2\nanswer 4\nanswer 2\n'));
  cli.stdin.write('/exit\n');
  expect((await cli.ended).code).toBe(0);
});

test('in a conversation Ctrl-C stops the answer, an error does not end it, and Ctrl-D does', async () => {
  let asked = 0;
  const env = await serve((_, response) => {
    asked += 1;
    if (asked === 2) return refuse(response, 400, 'context_length_exceeded');
    if (asked === 3) return answer(response, 'Hello.');
    stream(response);
    response.write(chunk('One, two, '));
  });
  const cli = startCli(['chat', '-d', 'llama'], { env, terminal: true });
  cli.stdin.write('count\n');
  await eventually(async () => expect(cli.stdout()).toBe('One, two, '));
  cli.stdin.write('\u0003');
  await eventually(async () => expect(cli.stderr()).toMatch(/\(stopped\)/));
  cli.stdin.write('again\n');
  await eventually(async () => expect(cli.stderr()).toMatch(/Error: It is context_length_exceeded/));
  cli.stdin.write('hello\n');
  await eventually(async () => expect(cli.stdout()).toBe('One, two, \nHello.\n'));
  // Neither was answered.
  expect(sent()).toMatchObject({ messages: [{ role: 'user', content: 'hello' }] });
  cli.stdin.write('\u0004');
  expect((await cli.ended).code).toBe(0);
});
