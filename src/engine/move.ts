/**
 * Moving what belongs to a user who made it read-only.
 *
 * A directory can be moved into another one only by who may write it (its `..` changes) and both directories around it. An owner may change all three
 * modes, so these are lifted for the moment of the move.
 */
import { chmod, lstat, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from './errors.js';

const OWNER_WRITES = 0o300;

/** Renames, whatever the modes of our own directories say. */
export async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(systemErrorCode(error) ?? '')) throw error;
    const lifted = await liftModes([dirname(from), dirname(to), from]);
    let moved = false;
    try {
      await rename(from, to);
      moved = true;
    } finally {
      for (const { path, mode } of lifted) await chmod(moved && path === from ? to : path, mode).catch(() => {});
    }
  }
}

async function liftModes(paths: readonly string[]): Promise<{ path: string; mode: number }[]> {
  const lifted: { path: string; mode: number }[] = [];
  for (const path of paths) {
    const stats = await lstat(path);
    const mode = stats.mode & 0o7777;
    if (!stats.isDirectory() || (mode & OWNER_WRITES) === OWNER_WRITES) continue;
    await chmod(path, mode | OWNER_WRITES).then(
      () => lifted.push({ path, mode }),
      () => {},
    );
  }
  return lifted;
}
