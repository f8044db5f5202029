import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { comparePaths } from '../../src/engine/archive/index.js';
import { type ListedEntry, SortedEntries } from '../../src/engine/workspace/index.js';

function entry(path: string): ListedEntry {
  return { path, kind: 'file', mode: 0o644, mtime: 0, size: path.length, sha256: null, target: null };
}

/** Paths with everything that can go wrong in a line, in an order that is none. */
function* paths(count: number): Generator<string> {
  const odd = ['', '\n', '"', '\u2028', '日本', '/', '-', '.', '\\', '\u{10000}'];
  for (let index = 0; index < count; index += 1) {
    const number = (index * 7919) % count;
    yield `d${number % 100}/${odd[number % odd.length]}${number}`.replaceAll('//', '/');
  }
}

for (const count of [0, 1, 1000, 150_000]) {
  test(`${count} entries come back in path order, each once`, async () => {
    const sorted = new SortedEntries<ListedEntry>(tmpdir());
    let [found, before] = [0, ''];
    try {
      for (const path of paths(count)) sorted.add(entry(path));
      for await (const { path, size } of sorted.read(new AbortController().signal)) {
        if (found > 0 && comparePaths(before, path) >= 0) expect([before, path]).toEqual('in order');
        if (size !== path.length) expect(path).toBe('whole');
        before = path;
        found += 1;
      }
    } finally {
      sorted.close();
    }
    expect(found).toBe(count);
    expect(
      readdirSync(tmpdir()).filter((name) => name.startsWith('.lines.') && name.includes(`-${process.pid}-`)),
    ).toEqual([]);
  });
}
