import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import { readTrace } from './trace.ts';

const directory = mkdtempSync(join(tmpdir(), 'trace-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(content: string | Buffer): string {
  const path = join(directory, 'trace');
  writeFileSync(path, content);
  return path;
}

const CSV = 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n';
const DATA = join(import.meta.dirname, '../data');

describe('readTrace', () => {
  test.each([
    ['azure-2023/AzureLLMInferenceTrace_conv.csv.gz', 19_366, 3_502],
    ['mooncake-fast25/conversation_trace.jsonl.gz', 12_031, 3_537],
  ])('reads %s', (path, count, seconds) => {
    const trace = readTrace(join(DATA, path));
    expect(trace).toHaveLength(count);
    expect(trace[0]?.arrivalMs).toBe(0);
    expect(Math.round((trace.at(-1)?.arrivalMs ?? 0) / 1000)).toBe(seconds);
  });

  test('reads CSV in any order of columns and lines, gzipped or not', () => {
    const text =
      'ContextTokens,TIMESTAMP,GeneratedTokens\r\n7,2023-11-16 23:59:59.9000000,3\r\n5,2023-11-16 23:59:59.6805900,0\r\n9,2023-11-17 00:00:01,2\r\n';
    const expected = [
      { promptTokens: 5, outputTokens: 1 },
      { promptTokens: 7, outputTokens: 3 },
      { promptTokens: 9, outputTokens: 2 },
    ];
    for (const content of [text, gzipSync(text)]) {
      const trace = readTrace(file(content));
      expect(trace).toMatchObject(expected);
      expect(trace.map(({ arrivalMs }) => arrivalMs.toFixed(2))).toEqual(['0.00', '219.41', '1319.41']);
    }
  });

  test('reads JSON lines', () => {
    const trace = readTrace(
      file(
        '{"timestamp": 1000, "input_length": 5, "output_length": 6, "hash_ids": []}\n{"timestamp": 1500, "input_length": 1, "output_length": 2}\n',
      ),
    );
    expect(trace).toEqual([
      { arrivalMs: 0, promptTokens: 5, outputTokens: 6 },
      { arrivalMs: 500, promptTokens: 1, outputTokens: 2 },
    ]);
  });

  test.each([
    ['nothing', '', 'is empty'],
    ['a header alone', CSV, 'has a header and no request'],
    ['other columns', 'time,prompt\n1,2\n', 'neither JSON lines nor CSV with the columns TIMESTAMP'],
    ['a time that is none', `${CSV}yesterday,1,2\n`, 'line 2 has no valid TIMESTAMP'],
    [
      'a count that is none',
      `${CSV}2023-11-16 18:15:46.68,1,2\n2023-11-16 18:15:47,1,many\n`,
      'line 3 has no valid GeneratedTokens',
    ],
    ['a line cut short', `${CSV}2023-11-16 18:15:46.68,1\n`, 'line 2 has no valid GeneratedTokens'],
    ['JSON without a field', '{"timestamp": 1, "input_length": 2}\n', 'line 1 has no valid output_length'],
    ['JSON cut short', '{"timestamp": 1, "input_length": 2, "output_length": 2}\n{"time', 'line 2 is no JSON'],
    ['gzip cut short', gzipSync(`${CSV}2023-11-16 18:15:46.68,1,2\n`).subarray(0, 30), 'is none, or is cut off'],
  ])('refuses %s', (_, content, message) => {
    expect(() => readTrace(file(content))).toThrow(message);
  });

  test('names a file that is not there', () => {
    expect(() => readTrace('/nowhere/trace.csv')).toThrow('The trace /nowhere/trace.csv cannot be read');
  });
});
