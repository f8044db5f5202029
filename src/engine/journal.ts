/**
 * The journal of a commit: what it is about to do, written down before it begins, so that one that was killed can be finished or undone.
 *
 * It lies beside the home, not in it: the home itself may be what is missing. It is there only while a commit is under way.
 */
import { existsSync } from 'node:fs';
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncDirectory, temporaryName } from './archive/index.js';
import { pathForNew, pathsOf } from './beside-home.js';
import type { SwapNames } from './datastore/index.js';
import { SnapshotError, systemErrorCode, systemErrorText } from './errors.js';

/** One move of the commit. Absolute paths; `to` does not exist before. */
export interface Move {
  from: string;
  to: string;
}

/** A move of something that is known again by its inode: names are used twice in a commit, and by others in between. */
export interface Rename extends Move {
  /** Decimal. */
  inode: string;
}

export interface Journal {
  /** Format of this file. */
  version: 1;
  /** When the commit began, ISO 8601. */
  started: string;
  /**
   * - `committing`: renames are under way or done, the databases may be swapped
   * - `undone`: everything is as it was before; what is left is to tidy up
   * - `committed`: everything is in place; what is left is to tidy up
   */
  state: 'committing' | 'undone' | 'committed';
  /** In the order in which they are done: what is there aside, what was staged in. */
  renames: Rename[];
  /** Done after the renames: from the previous workspace into the new one. */
  carried: Move[];
  /** The databases that are swapped after all moves: the moment of the commit. Null where none are. */
  databases: SwapNames | null;
  /** In place: the transaction of the replay, known only when it is about to be committed. Null before, and where there is none. */
  transaction: string | null;
  /** Address of the datastore that takes part; null where none does. */
  datastore: string | null;
  /** Directories and files of the staging, removed in the end, whatever the outcome. */
  temporary: string[];
  /** Paths and databases that are removed once the commit is done. */
  discard: { paths: string[]; databases: string[] };
}

/** Where the journal of a home lies, and where it would lie if there is none. */
export async function journalPath(home: string): Promise<string> {
  const journalOf = (path: string) => `${path}.restore-journal.json`;
  return (await pathsOf(home)).map(journalOf).find(existsSync) ?? journalOf(await pathForNew(home));
}

/** Writes the journal, durably. @throws COMMIT_FAILED */
export async function writeJournal(home: string, journal: Journal): Promise<void> {
  const path = await journalPath(home);
  // What a killed one leaves of it is cleared as any temporary is.
  const temporary = join(dirname(path), temporaryName(basename(path)));
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(journal, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw new SnapshotError('COMMIT_FAILED', `cannot write the journal ${path}: ${systemErrorText(cause)}`, {
      hint: 'make that directory writable and free some space; nothing was changed',
      cause,
    });
  }
}

/** The journal of a commit that was broken off; null where there is none. @throws RECOVERY_FAILED */
export async function readJournal(home: string): Promise<Journal | null> {
  const path = await journalPath(home);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT' || systemErrorCode(cause) === 'ENOTDIR') return null;
    throw new SnapshotError('RECOVERY_FAILED', `cannot read the journal ${path}: ${systemErrorText(cause)}`, {
      hint: 'run this as the user who ran that restore (with sudo, if it was)',
      cause,
    });
  }
  try {
    const journal = JSON.parse(text) as Journal;
    if (journal.version === 1 && Array.isArray(journal.renames) && Array.isArray(journal.carried)) return journal;
  } catch (cause) {
    throw unusable(path, 'it is not JSON', cause);
  }
  throw unusable(path, 'it is of another version of this program');
}

/** Removes the journal, durably. */
export async function removeJournal(home: string): Promise<void> {
  const path = await journalPath(home);
  await unlink(path).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  });
  await syncDirectory(dirname(path));
}

function unusable(path: string, why: string, cause?: unknown): SnapshotError {
  return new SnapshotError('RECOVERY_FAILED', `the journal of an unfinished restore, ${path}, cannot be used: ${why}`, {
    hint: 'run the release of this program that began that restore, with --recover',
    cause,
  });
}
