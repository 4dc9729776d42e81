import { describe, expect, test } from '@jest/globals';
import { engineAnswer } from './engine-errors.ts';

const CONTEXT = { model: 'ns/tiny', bodyBytes: 100 };

/** As vLLM words it. */
function vllm(status: number, type: string, message: string, param: string | null = null): Buffer {
  return Buffer.from(JSON.stringify({ error: { message, type, param, code: status } }));
}

describe('what vLLM answers', () => {
  test.each<[string, number, Buffer, Record<string, unknown>]>([
    [
      'a missing field',
      400,
      vllm(
        400,
        'Bad Request',
        "[{'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required', 'input': {'model': 'tiny'}}]",
        'body.messages',
      ),
      {
        status: 400,
        type: 'invalid_request_error',
        param: 'messages',
        code: null,
        message: 'messages: Field required',
      },
    ],
    [
      'a prompt too long',
      400,
      vllm(400, 'BadRequestError', "This model's maximum context length is 10 tokens.", 'input_tokens'),
      { status: 400, code: 'context_length_exceeded', param: 'input_tokens' },
    ],
    [
      'an exception in the message',
      400,
      vllm(400, 'BadRequestError', 'ValueError: top_k must be an integer (TypeError)'),
      { status: 400, message: 'top_k must be an integer ()' },
    ],
    [
      'a 422',
      422,
      Buffer.from('{"detail":[{"msg":"x"}]}'),
      { status: 400, message: 'The engine refused the request.' },
    ],
    ['no such route', 404, Buffer.from('{"detail":"Not Found"}'), { status: 404, param: 'model', code: null }],
    ['a refusal of the gateway itself', 401, Buffer.from('{"error":"Unauthorized"}'), { status: 502 }],
    ['a redirect', 307, Buffer.from(''), { status: 502, code: 'upstream_error' }],
    [
      'a failure',
      500,
      vllm(500, 'InternalServerError', 'CUDA error at /usr/lib'),
      { status: 500, code: 'engine_error' },
    ],
    ['no JSON', 500, Buffer.from('Internal Server Error'), { status: 500, code: 'engine_error' }],
    ['a failure inside a stream', 200, vllm(400, 'BadRequestError', 'no'), { status: 400, message: 'no' }],
  ])('%s', (_, status, body, expected) => {
    const { error, retry } = engineAnswer(status, body, CONTEXT);
    expect(error).toMatchObject(expected);
    expect(retry).toBeUndefined();
    expect(error.body).not.toMatch(/NotFoundError|BadRequestError|InternalServerError|ValueError|CUDA|usr\/lib/);
  });

  test.each<[string, number, Buffer]>([
    ['draining', 500, vllm(500, 'InternalServerError', 'cannot schedule new futures after shutdown')],
    ['engine_dead', 500, vllm(500, 'EngineDeadError', 'EngineCore encountered an issue.')],
    ['engine_dead', 200, vllm(500, 'EngineDeadError', 'EngineCore encountered an issue.')],
    ['overloaded', 503, vllm(503, 'QueueOverflowError', 'The server is overloaded')],
    ['bad_gateway', 502, Buffer.from('<html>')],
    ['bad_gateway', 504, Buffer.from('')],
    ['other_revision', 404, vllm(404, 'NotFoundError', 'The model `tiny:sql` does not exist.', 'model')],
  ])('%s: another replica may do better', (retry, status, body) => {
    expect(engineAnswer(status, body, CONTEXT).retry).toBe(retry);
  });

  test('an adapter that no replica has yet is asked for again, by the name that the client sent', () => {
    const { error } = engineAnswer(404, vllm(404, 'NotFoundError', 'The model `tiny:sql` does not exist.'), CONTEXT);
    expect(error).toMatchObject({ status: 503, code: 'model_not_ready', headers: { 'retry-after': '10' } });
    expect(error.message).toContain('`ns/tiny`');
  });
});
