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

/**
 * The value of an `--exclude`. An empty one, as from an unset shell variable, is none; one that looks like the next option is a slip. On a command line
 * nothing is a comment: `#recycle` is what is called that.
 */
export function excludePattern(pattern: string): ExcludeSource {
  if (pattern.startsWith('--')) {
    throw new UsageError(
      `--exclude needs a value, but '${pattern}' follows it`,
      `if that is the pattern, write \\${pattern}`,
    );
  }
  return { pattern: requireWhole('--exclude', pattern.replace(/^#/, '\\#')) };
}

/**
 * All patterns of these sources, in order; empty lines and comments are gone.
 *
 * @param stdin read for a file called `-`
 * @throws UsageError when a file cannot be read, or a pattern in it can match nothing
 */
export async function readExcludes(sources: readonly ExcludeSource[], stdin: Readable): Promise<string[]> {
  const patterns: string[] = [];
  for (const source of sources) {
    if ('pattern' in source) patterns.push(source.pattern);
    else {
      const lines = patternsOf(await readPatternFile(source.file, stdin));
      patterns.push(...lines.map((line) => requireWhole('--exclude-from', line)));
    }
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

/** Refuses a pattern whose last backslash has nothing to take the meaning from: git takes it for one that matches nothing. */
function requireWhole(option: string, pattern: string): string {
  const backslashes = /\\*$/.exec(pattern)?.[0].length ?? 0;
  if (backslashes % 2 === 0) return pattern;
  throw new UsageError(
    `the pattern '${pattern}' of ${option} ends in a backslash with nothing behind it, so it would match nothing`,
    `for a name that ends in a backslash, write '${pattern}\\'`,
  );
}
