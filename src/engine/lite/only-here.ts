/**
 * Whether a directory under version control holds history that exists nowhere else.
 */
import { execFile } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { promisify } from 'node:util';

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
  // Branches, tags and stashes, and HEAD where it is on none of them.
  const unpushed = ['log', '--all', '--not', '--remotes', '--max-count=1', '--format=%h %s'];
  try {
    const { stdout } = await promisify(execFile)('git', ['-c', 'core.fsmonitor=false', '--no-pager', ...unpushed], {
      cwd: directory,
      // Where this `.git` is damaged, git must not answer for a repository around it.
      env: { ...plainEnvironment(), GIT_CEILING_DIRECTORIES: around },
      maxBuffer: 1 << 20,
    });
    return stdout === '' ? null : `holds commits that are on no remote, for example ${stdout.trim()}`;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return `holds history, and git ${missing ? 'is not there' : 'does not say'} whether it is elsewhere, too`;
  }
}

/** Nothing that points git to another repository. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'));
  return { ...Object.fromEntries(entries), LC_ALL: 'C' };
}
