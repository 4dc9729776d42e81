import { array, assert, integer, property, string } from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import { table } from './table.ts';
import type { Column } from './table.ts';

interface Row {
  id: string;
  model: string;
  rate: number;
}

const columns: Column<Row>[] = [
  { header: 'ID', value: ({ id }) => id },
  { header: 'MODEL', value: ({ model }) => model, cutTo: 8, drop: 2 },
  { header: 'RPS', value: ({ rate }) => String(rate), align: 'right', drop: 1 },
];
const rows: Row[] = [
  { id: 'chat', model: 'organisation/a-long-name', rate: 9.5 },
  { id: 'embeddings', model: 'org/b', rate: 120 },
];

describe('table', () => {
  test('is as wide as its cells in a pipe', () => {
    expect(table(columns, rows)).toEqual([
      'ID           MODEL                      RPS',
      'chat         organisation/a-long-name   9.5',
      'embeddings   org/b                      120',
    ]);
  });

  test('cuts first, then leaves columns out by their order, then cuts lines', () => {
    expect(table(columns, rows, { width: 30 })[1]).toBe('chat         organisati…   9.5');
    expect(table(columns, rows, { width: 24 })[1]).toBe('chat         organisati…');
    expect(table(columns, rows, { width: 15 })).toEqual(['ID', 'chat', 'embeddings']);
    expect(table(columns, rows, { width: 6 })).toEqual(['ID', 'chat', 'embed…']);
  });

  test('fits every width', () => {
    assert(
      property(integer({ min: 1, max: 200 }), array(string()), (width, ids) => {
        const lines = table(
          columns,
          ids.map((id) => ({ id, model: id, rate: 1 })),
          { width },
        );
        expect(Math.max(...lines.map((line) => Array.from(line).length))).toBeLessThanOrEqual(width);
      }),
    );
  });

  test('colours a cell only where asked to, and never the space around it', () => {
    const toned: Column<Row>[] = [{ header: 'ID', value: ({ id }) => id, tone: () => 'good' }, ...columns.slice(2)];
    expect(table(toned, rows, { colours: true })[1]).toBe('\u001b[32mchat\u001b[0m         9.5');
    expect(table(toned, rows)[1]).toBe('chat         9.5');
  });

  test('what the cluster says cannot drive the terminal', () => {
    expect(table(columns, [{ id: 'a\u001b[2J\u0007\nb', model: '\u009b', rate: 1 }])[1]).toMatch(/^a\[2J b/);
  });
});
