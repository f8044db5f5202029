/**
 * Where an extraction is staged: in a directory from which a rename leads into the target. Beside the target, where it would be in nobody's way (what lies
 * in a workspace is looked at by Leoflow); in it, where beside is another file system or may not be written to.
 */
import { constants, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { SnapshotError, systemErrorCode, systemErrorText } from '../errors.js';
import { realPath } from '../real-path.js';

export interface Ground {
  /** The target: a real path. */
  to: string;
  /** Where the staging directory is made; it may have to be made itself where the target is missing. */
  directory: string;
  /** What locks and journals are named after: a path in `directory`. */
  site: string;
}

/** @throws STAGING_WRITE where nothing can be extracted to the target */
export async function findGround(target: string): Promise<Ground> {
  const to = await realPath(resolve(target)).catch((cause: unknown) => {
    throw unusable(target, systemErrorText(cause), cause);
  });
  const there = await statOf(to);
  if (there !== null && !there.isDirectory()) throw unusable(target, 'it is no directory');
  const around = dirname(to);
  if (there === null || (around !== to && (await mayStageIn(around, there))))
    return { to, directory: around, site: to };
  return { to, directory: to, site: join(to, '.leoflow') };
}

async function mayStageIn(directory: string, { dev }: Stats): Promise<boolean> {
  const mayWrite = await access(directory, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  return mayWrite && (await stat(directory)).dev === dev;
}

async function statOf(path: string): Promise<Stats | null> {
  return stat(path).catch((cause: unknown) => {
    if (systemErrorCode(cause) === 'ENOENT') return null;
    throw unusable(path, systemErrorText(cause), cause);
  });
}

function unusable(path: string, why: string, cause?: unknown): SnapshotError {
  return new SnapshotError('STAGING_WRITE', `cannot extract to ${path}: ${why}`, {
    hint: 'name a directory that you may write to, or one that does not exist yet; nothing was changed',
    cause,
  });
}
