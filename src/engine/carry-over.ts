/**
 * What is never archived but belongs to a workspace (`.git`, `.venv` …): a restore carries it over from the workspace that it replaces.
 */
import { chmod, lstat, readdir, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemErrorCode } from './errors.js';
import type { Move } from './journal.js';
import { move } from './move.js';
import { isBuiltInExclusion } from './workspace/index.js';

/**
 * Finds what is to be carried over: what the built-in rules leave out, wherever the directory around it exists in the new tree too.
 *
 * @param current the workspace that is there
 * @param staged the tree that takes its place
 * @param places the names that both will have once the trees are exchanged
 * @returns moves from the one to the other, to be done after the exchange
 */
export async function findCarriedOver(
  current: string,
  staged: string,
  places: { previous: string; workspace: string },
): Promise<Move[]> {
  const moves: Move[] = [];
  const directories = [''];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    const entries = await readdir(join(current, directory), { withFileTypes: true }).catch(nothingThere);
    for (const entry of entries) {
      const path = join(directory, entry.name);
      if (isBuiltInExclusion(entry.name, entry.isDirectory())) {
        if ((await kindOf(join(staged, path))) !== 'nothing') continue;
        moves.push({ from: join(places.previous, path), to: join(places.workspace, path) });
      } else if (entry.isDirectory() && (await kindOf(join(staged, path))) === 'directory') {
        directories.push(path);
      }
    }
  }
  return moves;
}

/** Moves an entry from one tree into another. The directories that it leaves and enters keep their times. */
export async function carry(from: string, to: string): Promise<void> {
  const around = await Promise.all(
    [dirname(from), dirname(to)].map(async (path) => ({ path, was: await lstat(path) })),
  );
  await move(from, to);
  for (const { path, was } of around) await utimes(path, was.atime, was.mtime).catch(() => {});
}

/** What its owner needs of a directory to move something in or out. */
const ENTER_AND_CHANGE = 0o300;

/** Does something around a move of {@link carry}, in directories that may be closed to their owner: they are opened for it, and closed again. */
export async function opened<T>({ from, to }: Move, act: () => Promise<T>): Promise<T> {
  const closed: { path: string; mode: number }[] = [];
  try {
    for (const path of [dirname(from), dirname(to)]) {
      const mode = await lstat(path).then(
        (stats) => stats.mode & 0o7777,
        () => ENTER_AND_CHANGE,
      );
      if ((mode & ENTER_AND_CHANGE) === ENTER_AND_CHANGE) continue;
      closed.push({ path, mode });
      await chmod(path, mode | ENTER_AND_CHANGE);
    }
    return await act();
  } finally {
    for (const { path, mode } of closed) await chmod(path, mode).catch(() => {});
  }
}

async function kindOf(path: string): Promise<'directory' | 'other' | 'nothing'> {
  const stats = await lstat(path).catch((error: unknown) => void nothingThere(error));
  if (stats === undefined) return 'nothing';
  return stats.isDirectory() ? 'directory' : 'other';
}

/**
 * Of what is not there (nor can be, by a path as long as that of the staging), or may not be looked into. Any other error must not pass for that: what is not
 * carried over can be removed.
 */
function nothingThere(error: unknown): never[] {
  if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EACCES'].includes(systemErrorCode(error) ?? '')) return [];
  throw error;
}
