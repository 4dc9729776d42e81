import { describe, expect, test } from '@jest/globals';
import { readCreateRequest } from './create-request.ts';

const INPUT = `file-${'1'.repeat(32)}`;
const good = { input_file_id: INPUT, endpoint: '/v1/chat/completions', completion_window: '24h' };
const spec = { inputFileId: INPUT, endpoint: '/v1/chat/completions', completionWindow: '24h' };

describe('taken is', () => {
  test.each<[string, object, object]>([
    ['what is needed', {}, {}],
    ['every endpoint', { endpoint: '/v1/embeddings' }, { endpoint: '/v1/embeddings' }],
    ['null for none', { metadata: null, output_expires_after: null }, {}],
    ['metadata', { metadata: { a: 'b', c: '' } }, { metadata: { a: 'b', c: '' } }],
    [
      'metadata at its bounds',
      { metadata: { ['🙂'.repeat(64)]: '🙂'.repeat(512) } },
      { metadata: { ['🙂'.repeat(64)]: '🙂'.repeat(512) } },
    ],
    [
      'an expiry',
      { output_expires_after: { anchor: 'created_at', seconds: 3600 } },
      { outputExpiresAfterSeconds: 3600 },
    ],
    // What only Infer decides is not the client's to say.
    ['nothing else', { status: 'completed', request_counts: { total: 1 }, apiKey: 'admin', cancel: true }, {}],
  ])('%s', (_, body, more) => {
    expect(readCreateRequest({ ...good, ...body })).toEqual({ ...spec, ...more });
  });
});

const many = Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, 'v']));

describe('refused is', () => {
  test.each<[string, object, string, string]>([
    ['no input', { input_file_id: undefined }, 'missing_required_parameter', 'input_file_id'],
    ['null as input', { input_file_id: null }, 'missing_required_parameter', 'input_file_id'],
    ['a number as input', { input_file_id: 5 }, 'invalid_type', 'input_file_id'],
    ['what is no id', { input_file_id: '../../team-b/content/x' }, 'invalid_value', 'input_file_id'],
    ['no endpoint', { endpoint: undefined }, 'missing_required_parameter', 'endpoint'],
    ['another endpoint', { endpoint: '/v1/moderations' }, 'invalid_value', 'endpoint'],
    ['an endpoint in a list', { endpoint: ['/v1/embeddings'] }, 'invalid_type', 'endpoint'],
    ['no window', { completion_window: undefined }, 'missing_required_parameter', 'completion_window'],
    ['another window', { completion_window: '48h' }, 'invalid_value', 'completion_window'],
    ['a window in hours', { completion_window: 24 }, 'invalid_type', 'completion_window'],
    ['metadata in words', { metadata: 'x' }, 'invalid_type', 'metadata'],
    ['metadata in a list', { metadata: ['x'] }, 'invalid_type', 'metadata'],
    ['metadata of a number', { metadata: { a: 1 } }, 'invalid_type', 'metadata.a'],
    ['metadata of null', { metadata: { a: null } }, 'invalid_type', 'metadata.a'],
    ['metadata of objects', { metadata: { a: {} } }, 'invalid_type', 'metadata.a'],
    ['much metadata', { metadata: many }, 'object_above_max_properties', 'metadata'],
    ['a long value', { metadata: { a: 'x'.repeat(513) } }, 'string_above_max_length', 'metadata.a'],
    ['a long name', { metadata: { ['x'.repeat(65)]: '' } }, 'string_above_max_length', `metadata.${'x'.repeat(64)}`],
    ['an expiry in seconds', { output_expires_after: 3600 }, 'invalid_type', 'output_expires_after'],
    [
      'an expiry of nothing',
      { output_expires_after: { seconds: 3600 } },
      'missing_required_parameter',
      'output_expires_after.anchor',
    ],
    [
      'another anchor',
      { output_expires_after: { anchor: 'now', seconds: 3600 } },
      'invalid_value',
      'output_expires_after.anchor',
    ],
    [
      'no seconds',
      { output_expires_after: { anchor: 'created_at' } },
      'missing_required_parameter',
      'output_expires_after.seconds',
    ],
    [
      'half a second',
      { output_expires_after: { anchor: 'created_at', seconds: 3600.5 } },
      'invalid_type',
      'output_expires_after.seconds',
    ],
    [
      'too few seconds',
      { output_expires_after: { anchor: 'created_at', seconds: 3599 } },
      'integer_below_min_value',
      'output_expires_after.seconds',
    ],
    [
      'too many seconds',
      { output_expires_after: { anchor: 'created_at', seconds: 2_592_001 } },
      'integer_above_max_value',
      'output_expires_after.seconds',
    ],
  ])('%s', (_, body, code, param) => {
    expect(() => readCreateRequest({ ...good, ...body })).toThrow(
      expect.objectContaining({ status: 400, type: 'invalid_request_error', code, param }),
    );
  });

  test.each([undefined, null, 'x', [good]])('%j instead of an object', (body) => {
    expect(() => readCreateRequest(body)).toThrow(expect.objectContaining({ status: 400, code: 'invalid_type' }));
  });
});

function message(body: object): string {
  try {
    readCreateRequest({ ...good, ...body });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('It was taken.');
}

test('the sentences are the ones that OpenAI has', () => {
  // OpenAI has this one; the gateways do not, and each request of the batch would fail.
  expect(message({ endpoint: '/v1/responses' })).toBe(
    "Invalid value: '/v1/responses'. Supported values are: '/v1/chat/completions', '/v1/completions', '/v1/embeddings'.",
  );
  expect(message({ metadata: { a: 1 } })).toBe(
    "Invalid type for 'metadata.a': expected a string, but got an integer instead.",
  );
  expect(message({ endpoint: undefined })).toBe("Missing required parameter: 'endpoint'.");
});
