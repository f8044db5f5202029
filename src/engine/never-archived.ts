/**
 * What must not be archived although it may lie in the workspace: the home with its secrets and tools, the journal of a restore beside it, and the archive
 * itself. (Locks and temporaries of this program are known by their names, wherever they lie.)
 */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { Install } from './install/index.js';
import { journalPath } from './journal.js';
import type { ExclusionRules } from './workspace/index.js';

/** @param archives absolute paths of the archive and its temporary file; null for what is none */
export async function neverArchived(
  install: Install,
  archives: readonly (string | null)[],
): Promise<ExclusionRules['paths']> {
  const candidates = [
    { path: install.home, rule: 'the Leoflow home' },
    { path: await journalPath(install.namedHome), rule: 'the journal of a restore' },
    ...archives.flatMap((path) => (path === null ? [] : [{ path, rule: 'the archive itself' }])),
  ];
  const paths: { path: string; rule: string }[] = [];
  for (const { path: candidate, rule } of candidates) {
    const path = await belowWorkspace(install, candidate);
    if (path !== null) paths.push({ path, rule });
  }
  return paths;
}

/** The path of what may lie in the workspace, relative to it; null where it does not. */
export async function belowWorkspace({ workspace }: Install, place: string): Promise<string | null> {
  const path = relative(workspace, join(await realpath(dirname(place)), basename(place)));
  return path === '' || path === '..' || path.startsWith('../') ? null : path;
}
