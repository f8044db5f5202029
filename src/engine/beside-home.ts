/**
 * Beside which path the locks and the journal of a home lie, and by which name: its real path, so that there is one of each whichever link it is reached by.
 *
 * Where nobody may write there, they lie beside the link, as those of earlier releases do; so whoever looks for one looks in both places.
 */
import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { clearStaleTemporaries } from './archive/index.js';
import { realPath } from './real-path.js';

/** The paths by which a home goes: the real one, and the one by which it is named. One where they are the same. @param home absolute */
export async function pathsOf(home: string): Promise<readonly string[]> {
  return [...new Set([await realPath(home).catch(() => home), home])];
}

/** The path beside which something new goes: the first one with a directory that can be written to; the named one where there is none. */
export async function pathForNew(home: string): Promise<string> {
  for (const path of await pathsOf(home)) {
    const isWritable = await access(dirname(path), constants.W_OK).then(
      () => true,
      () => false,
    );
    if (isWritable) return path;
  }
  return home;
}

/** Removes what killed processes left beside a home. */
export async function clearStaleBeside(home: string): Promise<void> {
  for (const path of await pathsOf(home)) await clearStaleTemporaries(dirname(path));
}
