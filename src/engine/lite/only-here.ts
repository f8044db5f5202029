/**
 * Whether a directory under version control holds history that exists nowhere else.
 */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { systemErrorCode } from '../errors.js';

/** No program that the repository names is run: nobody has read what it says. */
const HARMLESS = ['-c', 'core.fsmonitor=false', '-c', 'log.showSignature=false', '--no-pager'];
/** Branches, tags and stashes, and HEAD where it is on none of them. */
const UNPUSHED = ['log', '--all', '--not', '--remotes', '--max-count=1', '--no-show-signature', '--format=%h %s'];
/** Git has to walk all of a history that is pushed: a large one takes seconds. */
const GIT_MS = 120_000;

/**
 * What would be lost with the history of a repository; completes "<path> …".
 *
 * @param directory real path of the directory under version control
 * @param kind the name of what holds the history: `.git` or `.hg`
 * @returns null where everything committed is on a remote, too
 */
export async function onlyHere(directory: string, kind: string): Promise<string | null> {
  const around = dirname(directory);
  // The variable below is a list, which cannot name a path with a colon in it; and no string names one that is not UTF-8.
  const canBeNamed = !around.includes(delimiter) && !directory.includes('\ufffd');
  if (kind !== '.git' || !canBeNamed) return 'holds history, and whether it is elsewhere, too, cannot be told';
  // Where this `.git` is damaged, git must not answer for a repository around it.
  const own = await unpushed(directory, [], { GIT_CEILING_DIRECTORIES: around });
  if (own !== null) return own;
  // A submodule that is not checked out (any more) has its history here alone.
  const modules = await modulesOf(join(directory, kind)).catch(() => null);
  if (modules === null) return 'holds histories of submodules that cannot be looked into';
  for (const module of modules) {
    const of = await unpushed(module, [`--git-dir=${module}`, `--work-tree=${module}`], {});
    if (of !== null) return `${of} (of the submodule in ${module})`;
  }
  return null;
}

async function unpushed(cwd: string, repository: readonly string[], env: NodeJS.ProcessEnv): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('git', [...HARMLESS, ...repository, ...UNPUSHED], {
      cwd,
      // Nor does git get from elsewhere what it lacks, by whatever program.
      env: { ...plainEnvironment(), ...env, GIT_ALLOW_PROTOCOL: 'none', GIT_NO_LAZY_FETCH: '1' },
      maxBuffer: 1 << 20,
      timeout: GIT_MS,
    });
    return stdout === '' ? null : `holds commits that are on no remote, for example ${stdout.trim()}`;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return `holds history, and git ${missing ? 'is not there' : 'does not say'} whether it is elsewhere, too`;
  }
}

/** The repositories that a repository keeps for its submodules, and those for theirs. A submodule's name may have slashes in it. */
async function modulesOf(repository: string): Promise<string[]> {
  const found: string[] = [];
  const directories = [join(repository, 'modules')];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
      if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return [];
      throw error;
    });
    const isRepository = ['HEAD', 'objects'].every((name) => entries.some((entry) => entry.name === name));
    if (isRepository) found.push(directory);
    for (const entry of entries) {
      if (entry.isDirectory() && (!isRepository || entry.name === 'modules'))
        directories.push(join(directory, entry.name));
    }
  }
  return found;
}

/** Nothing that points git to another repository. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'));
  return { ...Object.fromEntries(entries), LC_ALL: 'C' };
}
