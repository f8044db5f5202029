/** What a pattern chooses, as docs/cli.md says it. */
import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ArchivePath } from '../../src/engine/archive/index.js';
import { NamePatterns } from '../../src/engine/name-patterns.js';

const chooses = (pattern: string, name: string) => new NamePatterns([pattern]).matches(name as ArchivePath);

const table: Record<string, { yes: string[]; no: string[] }> = {
  'workspace/dags': {
    yes: ['workspace/dags/', 'workspace/dags', 'workspace/dags/a.py', 'workspace/dags/sub/'],
    no: ['workspace/', 'workspace/dags2/', 'workspace/dags.py', 'dags/', 'other/workspace/dags/'],
  },
  'workspace/dags/': {
    yes: ['workspace/dags/', 'workspace/dags/a.py'],
    no: ['workspace/dags', 'workspace/dags2/a.py'],
  },
  './workspace/a': { yes: ['workspace/a'], no: ['./workspace/a', 'a'] },
  'workspace/*': {
    yes: ['workspace/a', 'workspace/.a', 'workspace/a/', 'workspace/a/b'],
    no: ['workspace/', 'config.yaml'],
  },
  'workspace/*.py': {
    yes: ['workspace/a.py', 'workspace/.py', 'workspace/日本.py', 'workspace/a\nb.py', 'workspace/odd.py/inside'],
    no: ['workspace/a.pyc', 'workspace/sub/a.py', 'workspace/apy'],
  },
  'workspace/**/*.py': {
    yes: ['workspace/a.py', 'workspace/b/c/a.py', 'workspace/.x/a.py'],
    no: ['x/a.py', 'workspace/a'],
  },
  'workspace/**': { yes: ['workspace/a', 'workspace/a/b/'], no: ['workspace/', 'config.yaml'] },
  '**': { yes: ['MANIFEST.json', 'workspace/', 'workspace/a'], no: [] },
  '**/x': { yes: ['x', 'a/x', 'a/b/x', 'a/x/below'], no: ['ax', 'a/bx'] },
  'a**b': { yes: ['ab', 'axxb'], no: ['a/b'] },
  '?': { yes: ['a', '日', '🦊', '\n', 'a/b'], no: ['ab', ''] },
  'a?c': { yes: ['abc', 'a🦊c'], no: ['a/c', 'ac'] },
  '[ab]': { yes: ['a', 'b', '[ab]', '[ab]/x'], no: ['c', 'ab', '[', ']'] },
  '[!ab]': { yes: ['c', '!', '🦊', '[!ab]'], no: ['a', 'b', '/'] },
  '[^ab]': { yes: ['c'], no: ['a'] },
  '[a-c1-3]x': { yes: ['ax', 'cx', '2x'], no: ['dx', '-x', '4x'] },
  '[]a]': { yes: [']', 'a'], no: ['[', 'b'] },
  '[!]a]': { yes: ['b', '['], no: [']', 'a'] },
  '[a-]': { yes: ['a', '-'], no: ['b'] },
  '[z-a]': { yes: ['[z-a]'], no: ['z', 'a', 'm', '-'] },
  '[\\]]': { yes: [']'], no: ['\\', '['] },
  '[a': { yes: ['[a'], no: ['a'] },
  'a]': { yes: ['a]'], no: ['a'] },
  'a[b/c]d': { yes: ['a[b/c]d'], no: ['abd', 'acd'] },
  '\\*': { yes: ['*', '\\*'], no: ['a', '\\'] },
  'a\\': { yes: ['a\\'], no: ['a'] },
  '[1].py': { yes: ['[1].py', '1.py'], no: ['2.py'] },
  'what?': { yes: ['what?', 'whats', 'what?/below'], no: ['what'] },
  'a+(b)|{c,d}^$.': { yes: ['a+(b)|{c,d}^$.'], no: ['ab', 'a+(b)|c^$.', 'a+(b)|{c,d}^$x'] },
  '"q"': { yes: ['"q"'], no: ['q'] },
  '!x': { yes: ['!x'], no: ['x', 'y'] },
  '#x': { yes: ['#x'], no: ['x'] },
  '-x': { yes: ['-x'], no: ['x'] },
  ' ': { yes: [' '], no: ['', 'a'] },
  'a\nb': { yes: ['a\nb'], no: ['a', 'b'] },
  A: { yes: ['A'], no: ['a'] },
};

describe('a pattern', () => {
  for (const [pattern, { yes, no }] of Object.entries(table)) {
    test(JSON.stringify(pattern), () => {
      expect(yes.filter((name) => !chooses(pattern, name))).toEqual([]);
      expect(no.filter((name) => chooses(pattern, name))).toEqual([]);
    });
  }

  test('that is empty is wrong usage', () => {
    for (const pattern of ['', '.', './', '/', './/'].filter((text) => text !== '.')) {
      expect(() => new NamePatterns([pattern])).toThrow(expect.objectContaining({ code: 'USAGE' }));
    }
  });

  test('without any, everything is chosen', () => {
    expect(new NamePatterns([]).matches('anything' as ArchivePath)).toBe(true);
  });

  test('those that chose nothing are known, and only those', () => {
    const patterns = new NamePatterns(['*', 'workspace/a', 'workspace/b', '[x]']);
    for (const name of ['workspace/', 'workspace/a']) patterns.matches(name as ArchivePath);
    expect(patterns.unmatched).toEqual(['workspace/b', '[x]']);
  });

  test('means within a part of a name what the shell says', () => {
    // No NUL and no slash, which bash could not be told or means otherwise; no empty names.
    const text = fc.string({ unit: fc.constantFrom(...'ab*?[]!^-\\é'), minLength: 1, maxLength: 8 });
    const pairs = fc.sample(
      fc.tuple(text, fc.string({ unit: fc.constantFrom(...'ab[]!^-\\é*'), minLength: 1, maxLength: 4 })),
      {
        numRuns: 3000,
        seed: 20261127,
      },
    );
    const script = 'while IFS= read -r -d "" p && IFS= read -r -d "" n; do [[ $n == $p ]] && echo 1 || echo 0; done';
    const said = execFileSync('bash', ['-c', script], {
      input: pairs
        .flat()
        .map((one) => `${one}\0`)
        .join(''),
      env: { LC_ALL: 'C.UTF-8', PATH: process.env.PATH ?? '' },
      encoding: 'utf8',
    }).split('\n');
    const wrong = pairs.filter(([pattern, name], at) => {
      // A name is always that name, here. Ranges depend on the locale, and what bash makes of a backslash at the end or in a class on its release.
      if (name === pattern || /\\$|\[[^\]]*[-\\]/.test(pattern)) return false;
      return chooses(pattern, name) !== (said[at] === '1');
    });
    expect(wrong).toEqual([]);
  });

  test('takes no longer for one that could take forever', () => {
    const started = performance.now();
    expect(chooses(`${'*a'.repeat(12)}b`, 'a'.repeat(60))).toBe(false);
    expect(chooses(`${'**/'.repeat(6)}b`, 'a/'.repeat(40))).toBe(false);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
