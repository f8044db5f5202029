import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { release } from '../../src/engine/archive/index.js';
import { type EntryTable, rowsOf, WorkspaceWalk } from '../../src/engine/workspace/index.js';
import { scanShards } from '../../src/engine/workspace/scan.js';

test('a buffer that is released is gone at once, not when V8 looks next', () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 0; n < 100; n += 1) {
    const bytes = Buffer.allocUnsafeSlow(1 << 20);
    release(bytes.subarray(100, 200));
    expect(bytes.length).toBe(0);
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
});

test('what may lie in a buffer that others use is left alone', () => {
  const [one, other] = [Buffer.from('one'), Buffer.from('other')];
  release(one);
  expect(`${one} ${other}`).toBe('one other');
});

test('tables of the walk are gone when the next ones are asked for', async () => {
  const root = mkdtempSync(join(tmpdir(), 'walk-'));
  try {
    for (const directory of ['a', 'a/b', 'c', 'empty']) mkdirSync(join(root, directory));
    for (const file of ['a/1', 'a/b/2', 'a/z', 'c/3', 'd']) writeFileSync(join(root, file), '');
    const walk = new WorkspaceWalk({
      root,
      rules: { paths: [], patterns: [] },
      scan: async (task) => scanShards(task),
      concurrency: 2,
      onWarning: () => {},
    });
    const paths: string[] = [];
    const tables: EntryTable[] = [];
    for await (const table of walk.entries()) {
      paths.push(...Array.from(rowsOf(table), ({ path }) => path));
      tables.push(table);
    }
    expect(paths).toEqual(['', 'a', 'a/1', 'a/b', 'a/b/2', 'a/z', 'c', 'c/3', 'd', 'empty']);
    // The first one is the workspace itself.
    expect(tables.slice(1).map(({ paths: { length } }) => length)).toEqual(tables.slice(1).map(() => 0));
  } finally {
    rmSync(root, { recursive: true });
  }
});
