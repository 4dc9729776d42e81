/** The batch commands against the batch process's real API, in front of which a gateway would stand. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NAMESPACE, startBatchApi, tenantHeaders, type RunningBatchApi } from '../../../test/support/batch-api.ts';
import { runCli, startCli, type CliResult } from '../../../test/support/cli-run.ts';
import { eventually } from '../../../test/support/eventually.ts';
import type { InferenceBatchStatus } from '../../api/generated/inference-batch.ts';

const LINE = '{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"llama","messages":[]}}';

let api: RunningBatchApi;
let gateway: Server;
let folder: string;
let env: Record<string, string>;

beforeEach(async () => {
  api = await startBatchApi();
  gateway = await startPassThrough(api.url);
  folder = await mkdtemp(join(tmpdir(), 'infer-cli-batch-'));
  const { port } = gateway.address() as AddressInfo;
  env = { INFER_BASE_URL: `http://127.0.0.1:${port}/v1`, INFER_API_KEY: 'infer_key' };
});
afterEach(async () => {
  gateway.closeAllConnections();
  gateway.close();
  await api.close();
  await rm(folder, { recursive: true });
});

/** Puts the key's name in place of the key, as a gateway does. */
async function startPassThrough(target: string): Promise<Server> {
  const server = createServer((incoming, response) => {
    const { method, url = '' } = incoming;
    const headers = { ...incoming.headers, ...tenantHeaders() };
    const upstream = httpRequest(target + url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    for (const stream of [incoming, upstream, response]) stream.on('error', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

async function batch(...args: string[]): Promise<CliResult> {
  return await runCli(['batch', ...args], { env });
}

async function input(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

/** The content of the file that the newest batch was made of. */
async function uploaded(): Promise<string> {
  const { inputFileId } = [...api.batches.stored.values()].at(-1)?.spec ?? {};
  return await (await api.call(`/v1/files/${inputFileId}/content`)).text();
}

/** Writes how the batch stands, as the worker does. */
function report(id: string, reason: string, status: Partial<InferenceBatchStatus> = {}): void {
  const name = id.replace('batch_', '');
  const { spec } = api.batches.stored.get(`${NAMESPACE}/${name}`) ?? {};
  const isOver = ['Completed', 'Failed'].includes(reason) ? 'True' : 'False';
  const time = new Date().toISOString();
  const condition = { type: 'Complete', status: isOver, reason, message: '', lastTransitionTime: time } as const;
  api.batches.add(name, { ...(spec && { spec }), status: { conditions: [condition], ...status } });
}

async function storeFile(content: string): Promise<string> {
  const data = new FormData();
  data.append('purpose', 'batch');
  data.append('file', new File([content], 'output.jsonl'));
  return ((await (await api.call('/v1/files', { method: 'POST', body: data })).json()) as { id: string }).id;
}

describe('infer batch submit', () => {
  test('uploads a file as it is, makes a batch of it, and prints its id alone', async () => {
    const content = `${LINE}\n`.repeat(5_000);
    const { code, stdout, stderr } = await batch('submit', await input('requests.jsonl', content));
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^batch_[0-9a-f]{32}\n$/) });
    expect(stderr).toMatch(/infer batch status batch_/);
    expect((await uploaded()) === content).toBe(true);
    expect([...api.batches.stored.values()][0]?.spec.endpoint).toBe('/v1/chat/completions');
  });

  test('sends all lines to one deployment', async () => {
    expect(await batch('submit', await input('a.jsonl', `${LINE}\n\n${LINE}`), '-d', 'mistral')).toMatchObject({
      code: 0,
    });
    const models = (await uploaded())
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { body: { model: string } }).body.model);
    expect(models).toEqual(['mistral', 'mistral']);
  });

  test('makes requests of prompts', async () => {
    const text = await input('prompts.txt', 'Good or bad?\n\nYes or no?\n');
    expect(
      await batch('submit', text, '--prompts', '-d', 'llama', '--max-tokens', '5', '--system', 'Brief.'),
    ).toMatchObject({
      code: 0,
    });
    expect(
      (await uploaded())
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toEqual(
      ['Good or bad?', 'Yes or no?'].map((prompt, at) => ({
        custom_id: `prompt-${at + 1}`,
        method: 'POST',
        url: '/v1/chat/completions',
        body: {
          model: 'llama',
          max_tokens: 5,
          messages: [
            { role: 'system', content: 'Brief.' },
            { role: 'user', content: prompt },
          ],
        },
      })),
    );
  });

  test('makes requests of a CSV, with its ids', async () => {
    const csv = await input('p.csv', 'id,Prompt\r\nx1,"Good, or\n""bad""?"\r\n\r\n,second\r\n');
    expect(await batch('submit', csv, '--prompts', '-d', 'llama', '--endpoint', '/v1/embeddings')).toMatchObject({
      code: 0,
    });
    expect(
      (await uploaded())
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([
      { custom_id: 'x1', method: 'POST', url: '/v1/embeddings', body: { model: 'llama', input: 'Good, or\n"bad"?' } },
      { custom_id: 'prompt-2', method: 'POST', url: '/v1/embeddings', body: { model: 'llama', input: 'second' } },
    ]);
  });

  test.each([
    ['no file', 'none.jsonl', undefined, [], /There is no file/],
    ['an empty file', 'a.jsonl', '\n', [], /it is empty/],
    ['no JSON', 'a.jsonl', 'Hello\n', [], /line 1 is no JSON object[^]*--prompts/],
    ['a line that is none', 'a.jsonl', `${LINE}\n[]`, ['-d', 'llama'], /line 2 is no JSON object/],
    ['another endpoint', 'a.jsonl', LINE.replace('completions', 'x'), [], /"\/v1\/chat\/x"/],
    ['prompts without a deployment', 'a.txt', 'Hello', ['--prompts'], /-d ID/],
    [
      'a CSV without prompts',
      'a.csv',
      'id,text\n1,2\n',
      ['--prompts', '-d', 'llama'],
      /no column "prompt", but: id, text/,
    ],
  ])('refuses %s before there is a batch', async (_, name, content, flags, message) => {
    const path = content === undefined ? join(folder, name) : await input(name, content);
    const result = await batch('submit', path, ...flags);
    expect(result).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    expect(api.batches.stored.size).toBe(0);
  });

  test('with --wait shows how it proceeds until it has ended', async () => {
    const cli = startCli(['batch', 'submit', await input('a.jsonl', LINE), '--wait'], { env });
    cli.stdin.end();
    await eventually(() => expect(cli.stdout()).toMatch(/^batch_\w+\n$/));
    report(cli.stdout().trim(), 'Completed', { requests: { total: 1, completed: 1, failed: 0 } });
    const { code, stderr } = await cli.ended;
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/completed: 1 of 1 done[^]*infer batch results/),
    });
  }, 15_000);

  test('with --wait leaves the batch running at Ctrl-C, and says so', async () => {
    const cli = startCli(['batch', 'submit', await input('a.jsonl', LINE), '--wait'], { env });
    cli.stdin.end();
    await eventually(() => expect(cli.stdout()).toMatch(/^batch_\w+\n$/));
    cli.interrupt();
    expect(await cli.ended).toMatchObject({
      code: 130,
      stderr: expect.stringMatching(/goes on. See it by: infer batch status/),
    });
  }, 15_000);
});

describe('a batch', () => {
  let id: string;
  beforeEach(async () => {
    id = (await batch('submit', await input('a.jsonl', LINE))).stdout.trim();
  });

  test('is shown, listed and cancelled', async () => {
    report(id, 'InProgress', { model: 'llama', requests: { total: 10, completed: 3, failed: 1 } });
    const { stdout } = await batch('status');
    expect(stdout).toMatch(
      new RegExp(`^Batch: +${id}\nStatus: +in_progress, 4 of 10 done, 1 failed\nDeployment: +llama,`),
    );
    expect((await batch('list')).stdout).toMatch(new RegExp(`^ID +.*\n${id} +llama +in_progress +3 +1 +10 +\\d+s\n$`));
    expect((await batch('list', '-o', 'name')).stdout).toBe(`${id}\n`);
    expect(await batch('cancel', id)).toMatchObject({ code: 0, stderr: expect.stringMatching(/is cancelling/) });
    expect(JSON.parse((await batch('status', id, '-o', 'json')).stdout)).toMatchObject({ id, status: 'cancelling' });
    expect(await batch('status', 'batch_none')).toMatchObject({ code: 3 });
  });

  test('that failed says which lines are wrong, and exits so', async () => {
    const errors = [{ code: 'x', message: 'It has no custom_id.', line: 7 }];
    report(id, 'Failed', { errors });
    const result = await batch('status', id, '--wait');
    expect(result).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/is failed: *\n +line 7: It has no custom_id\./),
    });
    expect(result.stdout).toMatch(/Error: +line 7: It has no custom_id\./);
  });

  test('gives its results to standard output or to a file, as a whole', async () => {
    const content = '{"custom_id":"1"}\n'.repeat(10_000);
    const outputFileId = await storeFile(content);
    report(id, 'Completed', { outputFileId, requests: { total: 1, completed: 1, failed: 0 } });
    expect((await batch('results', id)).stdout === content).toBe(true);
    const to = join(folder, 'answers.jsonl');
    expect(await batch('results', id, '--to', to)).toMatchObject({ code: 0, stdout: '' });
    expect((await readFile(to, 'utf8')) === content).toBe(true);
    await writeFile(`${to}.part`, 'of the user');
    expect(await batch('results', id, '--to', to)).toMatchObject({ code: 0 });
    expect(await readdir(folder)).toEqual(['a.jsonl', 'answers.jsonl', 'answers.jsonl.part']);
    expect(await readFile(`${to}.part`, 'utf8')).toBe('of the user');
    expect(await batch('results', id, '--to', join(folder, 'none', 'x'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/cannot be written: .*ENOENT[^]*Next:/),
    });
    expect(await batch('results', id, '--errors')).toMatchObject({ code: 3 });
  });

  test('streams its results into what is no file, and replaces it by none', async () => {
    const content = '{"custom_id":"1"}\n'.repeat(10_000);
    report(id, 'Completed', { outputFileId: await storeFile(content) });
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const [read, result] = await Promise.all([readFile(pipe, 'utf8'), batch('results', id, '--to', pipe)]);
    expect(result).toMatchObject({ code: 0 });
    expect(read === content).toBe(true);
    expect((await stat(pipe)).isFIFO()).toBe(true);
    expect(await readdir(folder)).toEqual(['a.jsonl', 'pipe']);
  });

  test('tells of those that failed, and gives them', async () => {
    const [outputFileId, errorFileId] = [await storeFile('{"a":1}\n'), await storeFile('{"b":1}\n')];
    report(id, 'Completed', { outputFileId, errorFileId, requests: { total: 3, completed: 2, failed: 1 } });
    const { stdout, stderr } = await batch('results', id);
    expect({ stdout, stderr }).toEqual({
      stdout: '{"a":1}\n',
      stderr: `1 requests failed: infer batch results ${id} --errors\n`,
    });
    expect((await batch('results', id, '--errors')).stdout).toBe('{"b":1}\n');
  });

  test('that runs has no results yet', async () => {
    report(id, 'InProgress', { requests: { total: 10, completed: 3, failed: 0 } });
    expect(await batch('results', id)).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/3 of 10 done[^]*--wait/),
    });
  });
});

test('a file that cannot be read is wrong use', async () => {
  // Also root cannot read what is at the address 0.
  expect(await batch('submit', '/proc/self/mem')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^Error: \/proc\/self\/mem cannot be read: (Error: )?EIO/),
  });
});

test('a download that breaks off leaves nothing', async () => {
  const id = (await batch('submit', await input('a.jsonl', LINE))).stdout.trim();
  report(id, 'Completed', { outputFileId: await storeFile('x'.repeat(10_000)) });
  gateway.prependListener('request', (incoming, response) => {
    if (incoming.url?.endsWith('/content') !== true) return;
    response.writeHead(200, { 'content-length': '10000' });
    response.write('x', () => response.destroy());
    // The other listener's answer comes too late.
    response.writeHead = () => response;
    response.write = () => true;
    response.end = () => response;
  });
  const result = await batch('results', id, '--to', join(folder, 'answers.jsonl'));
  expect(result).toMatchObject({ code: 6, stderr: expect.stringMatching(/download broke off/) });
  expect(await readdir(folder)).toEqual(['a.jsonl']);
});
