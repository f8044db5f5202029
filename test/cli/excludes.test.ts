/** Patterns from the command line and from files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { excludePattern, readExcludes } from '../../src/cli/commands/excludes.js';

function patternFile(content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'leoflow-cli-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'patterns'), content);
  return join(directory, 'patterns');
}

const nothing = () => Readable.from([]);

test('a file has one pattern per line; comments and empty lines are none', async () => {
  const file = patternFile('\ufeff*.csv\r\n\r\n# a comment\n\\#not-a-comment\n  \n!keep.csv\nlast');
  expect(await readExcludes([{ file }], nothing())).toEqual(['*.csv', '\\#not-a-comment', '!keep.csv', 'last']);
});

test('the order of the command line is kept, because the last match decides', async () => {
  const file = patternFile('!b\nc\n');
  expect(await readExcludes([{ pattern: 'a' }, { file }, { pattern: '!c' }], nothing())).toEqual([
    'a',
    '!b',
    'c',
    '!c',
  ]);
});

test('- is standard input', async () => {
  expect(await readExcludes([{ file: '-' }], Readable.from(['*.log\nda', 'ta/\n']))).toEqual(['*.log', 'data/']);
});

test('an empty pattern is none: it comes from an unset variable', async () => {
  expect(await readExcludes([{ pattern: '' }, { pattern: ' ' }, { pattern: 'x' }], nothing())).toEqual(['x']);
});

test('a pattern given as an argument is no comment, also with a # in front', async () => {
  const sources = ['#backup#', '\\#one', 'a#b', '##'].map(excludePattern);
  expect(await readExcludes(sources, nothing())).toEqual(['\\#backup#', '\\#one', 'a#b', '\\##']);
});

test.each(['a\\', '\\', 'a\\\\\\'])('a last backslash with nothing behind it is wrong usage: %s', async (pattern) => {
  const fault = (option: string) => ({
    name: 'UsageError',
    message: `the pattern '${pattern}' of ${option} ends in a backslash with nothing behind it, so it would match nothing`,
    hint: `for a name that ends in a backslash, write '${pattern}\\'`,
  });
  expect(() => excludePattern(pattern)).toThrow(expect.objectContaining(fault('--exclude')));
  const file = patternFile(`x\n${pattern}\r\n`);
  await expect(readExcludes([{ file }], nothing())).rejects.toMatchObject(fault('--exclude-from'));
  expect(excludePattern(`${pattern}\\`)).toEqual({ pattern: `${pattern}\\` });
});
