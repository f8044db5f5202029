/**
 * The patterns of `--exclude` and `--exclude-from`, in the order in which they stand on the command line: in gitignore syntax the
 * last match decides, so `--exclude '*.csv' --exclude-from keep.txt` and the reverse are different wishes.
 */
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { UsageError } from '../exit.js';

/** One occurrence of either option. */
export type ExcludeSource = { pattern: string } | { file: string };

/** The value of an `--exclude`. An empty one, as from an unset shell variable, is none; one that looks like the next option is a slip. */
export function excludePattern(pattern: string): ExcludeSource {
  if (!pattern.startsWith('--')) return { pattern };
  throw new UsageError(
    `--exclude needs a value, but '${pattern}' follows it`,
    `if that is the pattern, write \\${pattern}`,
  );
}

/**
 * All patterns of these sources, in order; empty lines and comments are gone.
 *
 * @param stdin read for a file called `-`
 * @throws UsageError when a file cannot be read
 */
export async function readExcludes(sources: readonly ExcludeSource[], stdin: Readable): Promise<string[]> {
  const patterns: string[] = [];
  for (const source of sources) {
    if ('pattern' in source) patterns.push(source.pattern);
    else patterns.push(...patternsOf(await readPatternFile(source.file, stdin)));
  }
  return patterns.filter((pattern) => pattern.trim() !== '');
}

async function readPatternFile(file: string, stdin: Readable): Promise<string> {
  try {
    return file === '-' ? await text(stdin) : await readFile(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // `ENOENT: no such file or directory, open 'x'`: the middle is the part for people.
    const words = /^E[A-Z0-9]+: ([^,]+)/.exec(reason)?.[1] ?? reason;
    throw new UsageError(
      `cannot read the file '${file}' of --exclude-from: ${words}`,
      'the file holds one pattern per line, in the syntax of .gitignore',
    );
  }
}

/** The lines of a pattern file as git takes them: without a byte order mark, carriage returns and comments. */
function patternsOf(content: string): string[] {
  return content
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => !line.startsWith('#'));
}
