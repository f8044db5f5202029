/** What could not be looked at covers what lies below it; where there is too much of that, its directories do. */
import { expect, test } from 'vitest';
import { UnseenPaths } from '../../src/engine/diff/unseen-paths.js';

test('a path covers itself and what lies below it, and nothing beside it', () => {
  const unseen = new UnseenPaths();
  unseen.add('a/b');
  expect(['a/b', 'a/b/c/d', 'a', 'a/bc', 'a/b.txt', ''].map((path) => unseen.above(path))).toEqual([
    'a/b',
    'a/b',
    null,
    null,
    null,
    null,
  ]);
});

test('the workspace itself covers everything', () => {
  const unseen = new UnseenPaths();
  unseen.add('');
  expect(unseen.above('a/b')).toBe('');
});

test('of a hundred thousand, the directory is kept', () => {
  const unseen = new UnseenPaths();
  for (let n = 0; n < 100_000; n += 1) unseen.add(`large/${n}`);
  unseen.add('other/one');
  expect(['large/1', 'large/x', 'other/one', 'other/x'].map((path) => unseen.above(path))).toEqual([
    'large',
    'large',
    'other/one',
    null,
  ]);
});
