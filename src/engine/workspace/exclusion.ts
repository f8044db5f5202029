/**
 * What is left out of the workspace, and by which rule.
 *
 * Three layers, the first that decides wins: the built-in rules, which nothing overrides; `--exclude` patterns; `.leoflowignore` files, the
 * deepest first. The last two are gitignore syntax, by the `ignore` package. Fast-glob's own patterns would not do: they cannot tell a
 * directory called `venv` from a file of that name.
 */
import ignore, { type Ignore, type TestResult } from 'ignore';
import { isTemporaryName } from '../archive/index.js';

/** File in any directory of the workspace with patterns for what lies below it. */
export const IGNORE_FILE = '.leoflowignore';

/** Version control metadata, of any type: a submodule's `.git` is a file. */
const BUILT_IN_NAMES: ReadonlySet<string> = new Set(['.git', '.hg', '.svn']);

/** What tools can make again; only directories, a regular file called `venv` is the user's. */
const BUILT_IN_DIRECTORIES: ReadonlySet<string> = new Set([
  '.venv',
  'venv',
  '__pycache__',
  '.pytest_cache',
  'node_modules',
  '.tox',
  '.mypy_cache',
]);

/** Archives and stagings that are not complete, and locks: of this program, by their names, whoever writes them or has left them. */
const TEMPORARIES = 'temporary files of backups and restores';
/** What the name of the journal of an extraction ends in: it lies beside the directory that is extracted to, or in it. */
const EXTRACT_JOURNAL = '.extract.restore-journal.json';

/** The rules of one backup; plain data, so that it can be sent to workers. */
export interface ExclusionRules {
  /** `--exclude` patterns, relative to the workspace. */
  patterns: readonly string[];
  /** Exact paths in the workspace that are never archived, with the name of the rule: the Leoflow home, the archive itself. */
  paths: readonly { path: string; rule: string }[];
}

/** The patterns of one ignore file. */
export interface IgnoreSource {
  /** Directory of the file, relative to the workspace; empty for the workspace itself. */
  directory: string;
  /** Its content. */
  patterns: string;
}

/** An ignore file with those above it. */
export interface IgnoreChain {
  source: IgnoreSource;
  above: IgnoreChain | null;
}

/** Judges paths. One instance serves one shard: `ignore` remembers every path it was asked about. */
export class Exclusion {
  readonly #paths: ReadonlyMap<string, string>;
  readonly #options: Ignore | null;
  readonly #compiled = new Map<IgnoreSource, Ignore>();

  constructor(rules: ExclusionRules) {
    this.#paths = new Map(rules.paths.map(({ path, rule }) => [path, rule]));
    this.#options = rules.patterns.length === 0 ? null : compile(rules.patterns);
  }

  /**
   * The rule that keeps a path out of the archive, as the user knows it; null when it belongs in.
   *
   * @param path relative to the workspace
   * @param chain the ignore files that apply to the directory it is in
   */
  judge(path: string, directory: boolean, chain: IgnoreChain | null): string | null {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (isBuiltInExclusion(name, directory)) return name;
    const exact = this.#paths.get(path);
    if (exact !== undefined) return exact;
    if (isTemporaryName(name) || name.endsWith(EXTRACT_JOURNAL)) return TEMPORARIES;
    if (this.#options !== null) {
      const { ignored, unignored, rule } = testBelowKept(this.#options, path, directory);
      if (ignored) return `${rule?.pattern} (--exclude)`;
      if (unignored) return null;
    }
    for (let link = chain; link !== null; link = link.above) {
      const { source } = link;
      const below = source.directory === '' ? path : path.slice(source.directory.length + 1);
      const { ignored, unignored, rule } = testBelowKept(this.#matcher(source), below, directory);
      if (ignored) return `${rule?.pattern} (${source.directory === '' ? '' : `${source.directory}/`}${IGNORE_FILE})`;
      if (unignored) return null;
    }
    return null;
  }

  #matcher(source: IgnoreSource): Ignore {
    let matcher = this.#compiled.get(source);
    if (matcher === undefined) {
      matcher = compile(source.patterns);
      this.#compiled.set(source, matcher);
    }
    return matcher;
  }
}

function compile(patterns: string | readonly string[]): Ignore {
  return ignore({ ignorecase: false }).add(patterns);
}

/**
 * What patterns say of a path in a directory that is kept.
 *
 * `ignore` takes everything below a directory that the patterns match for matched. But they may not have had the last word on that directory: patterns
 * that count more took it back, or the walk would not be in it. Then that is said to them too.
 */
function testBelowKept(patterns: Ignore, path: string, directory: boolean): TestResult {
  const subject = directory ? `${path}/` : path;
  const result = patterns.test(subject);
  const parent = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
  if (!result.ignored || parent === '' || !patterns.test(`${parent}/`).ignored) return result;
  for (let end = parent.indexOf('/'); ; end = parent.indexOf('/', end + 1)) {
    const above = end < 0 ? parent : parent.slice(0, end);
    if (patterns.test(`${above}/`).ignored) patterns.add([`!/${above.replaceAll(/[\\*?[\]]/g, '\\$&')}/`]);
    if (end < 0) return patterns.test(subject);
  }
}

/** Whether a directory of that name is never archived, whatever the rules of the user: what a restore carries over. */
export function isBuiltInExclusion(name: string, directory: boolean): boolean {
  return BUILT_IN_NAMES.has(name) || (directory && BUILT_IN_DIRECTORIES.has(name));
}
