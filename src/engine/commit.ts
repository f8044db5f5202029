/**
 * The commit: everything that was staged takes the place of what was there.
 *
 *     journal: what will be done
 *     renames: old parts aside, staged parts in, directories that are never archived over
 *     databases swapped, in one transaction              ◀ from here on it is done; before, it is undone
 *     journal: committed
 *     temporaries removed, previous parts too if asked
 *     journal removed
 *
 * Every step can be found out to be done or not by looking, and may be done or undone twice. So a failure here, and a recovery after a power cut, are
 * the same thing: read the journal, look, go on or back.
 */
import { lstat, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from './archive/index.js';
import { type ClusterLease, dropDatabase, swapDatabases, swapIsDone, undoSwap } from './datastore/index.js';
import { SnapshotError, systemErrorText } from './errors.js';
import { type Journal, type Rename, removeJournal, writeJournal } from './journal.js';

/** Where a commit takes place. */
export interface CommitSite {
  home: string;
  /** Null where the journal names no databases. */
  cluster: ClusterLease | null;
}

/**
 * Commits, or leaves everything as it was.
 *
 * @param options `endSessions`: end sessions on the live database instead of refusing; `last`: what takes the place of the swap where there is none,
 *   an irrevocable step that does nothing when it throws
 * @throws COMMIT_FAILED, DATASTORE_BUSY, SWAP_FAILED; everything is undone then
 */
export async function commit(
  site: CommitSite,
  journal: Journal,
  options: { endSessions: boolean; last?: () => Promise<void> },
): Promise<void> {
  await writeJournal(site.home, journal);
  try {
    for (const step of journal.renames) await doRename(step);
    await syncDirectories(journal.renames);
    if (journal.databases !== null) await swapDatabases(leaseOf(site), journal.databases, options);
    await options.last?.();
  } catch (error) {
    await undo(site, journal);
    throw error;
  }
  await finish(site, { ...journal, state: 'committed' });
}

/**
 * Goes on where a commit was broken off.
 *
 * @throws RECOVERY_FAILED where something is not as the journal left it
 */
export async function resume(site: CommitSite, journal: Journal): Promise<'finished' | 'undone'> {
  const done = journal.databases === null ? false : await swapIsDone(leaseOf(site), journal.databases);
  if (journal.state === 'committed' || done) {
    await finish(site, { ...journal, state: 'committed' });
    return 'finished';
  }
  await undo(site, journal);
  return 'undone';
}

/** Tidies up behind a commit that is done. */
async function finish(site: CommitSite, journal: Journal): Promise<void> {
  await writeJournal(site.home, journal);
  for (const path of [...journal.temporary, ...journal.discard.paths]) await rm(path, { recursive: true, force: true });
  for (const name of journal.discard.databases) await dropDatabase(leaseOf(site), name);
  await removeJournal(site.home);
}

/** Puts everything back as it was before the commit. */
async function undo(site: CommitSite, journal: Journal): Promise<void> {
  if (journal.databases !== null) {
    await undoSwap(leaseOf(site), journal.databases);
    await dropDatabase(leaseOf(site), journal.databases.staged);
  }
  for (const { from, to } of journal.renames.toReversed()) {
    const [there, here] = [await exists(to), await exists(from)];
    if (!there) continue;
    if (here) throw notAsLeft(from, to);
    await rename(to, from);
  }
  await syncDirectories(journal.renames);
  for (const path of journal.temporary) await rm(path, { recursive: true, force: true });
  await removeJournal(site.home);
}

async function doRename({ from, to }: Rename): Promise<void> {
  try {
    // rename() would replace a file or an empty directory that has come into the way meanwhile.
    if (await exists(to)) throw new Error('something is in its place');
    await rename(from, to);
  } catch (cause) {
    throw new SnapshotError('COMMIT_FAILED', `cannot move ${from} to ${to}: ${systemErrorText(cause)}`, {
      hint: 'nothing was changed; see that no other program works in these directories, and that neither is a mount point',
      cause,
    });
  }
}

async function syncDirectories(renames: readonly Rename[]): Promise<void> {
  const directories = new Set(renames.flatMap(({ from, to }) => [dirname(from), dirname(to)]));
  for (const directory of directories) if (await exists(directory)) await syncDirectory(directory);
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function leaseOf({ cluster }: CommitSite): ClusterLease {
  if (cluster === null) throw new Error('the journal names databases, and there is no cluster');
  return cluster;
}

function notAsLeft(from: string, to: string): SnapshotError {
  return new SnapshotError('RECOVERY_FAILED', `cannot move ${to} back to ${from}: something is there again`, {
    hint: 'move it out of the way, then run: leoflow lite restore --recover',
  });
}
