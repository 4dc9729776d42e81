import { describe, expect, test } from '@jest/globals';
import { attachment, safeFilename } from './filename.ts';

describe('a file is called', () => {
  test.each([
    ['requests.jsonl', 'requests.jsonl'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\work\\a.jsonl', 'a.jsonl'],
    ['a\r\nset-cookie: b.jsonl', 'aset-cookie: b.jsonl'],
    ['\u202elnosj.a', 'lnosj.a'],
    ['größe 🙂.jsonl', 'größe 🙂.jsonl'],
    ['\ud800.jsonl', '.jsonl'],
    ['/', ''],
  ])('%j: %j', (name, safe) => {
    expect(safeFilename(name)).toBe(safe);
  });

  test('by 255 characters at most, the ending among them', () => {
    const name = safeFilename(`${'🙂'.repeat(400)}.jsonl`);
    expect([Array.from(name).length, name.endsWith('🙂.jsonl')]).toEqual([255, true]);
  });
});

describe('a download is named', () => {
  test.each([
    ['a.jsonl', `attachment; filename="a.jsonl"; filename*=UTF-8''a.jsonl`],
    ['"a\\%b.jsonl', `attachment; filename="_a__b.jsonl"; filename*=UTF-8''%22a%5C%25b.jsonl`],
    ["größe's.jsonl", `attachment; filename="gr__e's.jsonl"; filename*=UTF-8''gr%C3%B6%C3%9Fe%27s.jsonl`],
  ])('%j: %s', (name, header) => {
    expect(attachment(name)).toBe(header);
  });
});
