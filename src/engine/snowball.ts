/**
 * Archives that lie in the workspace: the next one has this one in it, the one after that has both, and they grow without end.
 */
import type { Install } from './install/index.js';
import { belowWorkspace, neverArchived } from './never-archived.js';
import { ruleFor } from './workspace/index.js';

/** What our own names for archives have in common. */
const DEFAULT_NAME = /(?<=^|\/)leoflow-backup-[^/]*\.tar\.gz$/;

/**
 * What to say of an archive that later backups would take along; null where it does not lie in the workspace, or some rule leaves it out.
 *
 * @param archive its absolute path
 * @param patterns those of `--exclude`
 */
export async function snowballNote(
  install: Install,
  archive: string,
  patterns: readonly string[],
): Promise<string | null> {
  const path = await belowWorkspace(install, archive);
  if (path === null) return null;
  if (ruleFor(install.workspace, { patterns, paths: await neverArchived(install, []) }, path) !== null) return null;
  const literal = path.replaceAll(/[\\*?[\]]| $/g, '\\$&');
  const pattern = `/${literal.replace(DEFAULT_NAME, 'leoflow-backup-*.tar.gz')}`;
  const quoted = `'${pattern.replaceAll("'", "'\\''")}'`;
  return `the archive lies in the workspace, so later backups take it along: name another --output, or leave it out with --exclude ${quoted}`;
}
