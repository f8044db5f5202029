/**
 * One restore or recovery of a home at a time: two would undo each other's commits.
 *
 * The lock is an empty file beside the home whose name says which process holds it, so one that was killed holds nothing.
 */
import { unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { clearStaleTemporaries, liveTemporaries, openPrivate, temporaryName } from './archive/index.js';
import { SnapshotError, systemErrorText } from './errors.js';

/** Homes that this process works on: a lock's name tells other processes. */
const worked = new Set<string>();

/**
 * Locks a home, and clears away what dead processes have left in and beside it.
 *
 * @param home absolute; nothing need be there, but the directory around it
 * @returns gives the lock back; idempotent
 * @throws INSTALL_BUSY, STAGING_WRITE
 */
export async function lockInstall(home: string): Promise<() => Promise<void>> {
  const directory = dirname(home);
  await refuseIfLocked(home);
  worked.add(home);
  const lock = join(directory, temporaryName(lockName(home)));
  const release = async () => {
    if (worked.delete(home)) await unlink(lock).catch(() => {});
  };
  try {
    await makeLock(lock, directory);
    // Two that began in the same moment see each other now, and both give way.
    await refuseIfHeld(home);
    for (const place of [directory, home]) await clearStaleTemporaries(place);
    return release;
  } catch (error) {
    await release();
    throw error;
  }
}

/** Refuses while a restore or a recovery of the home is under way. Only looks. @throws INSTALL_BUSY */
export async function refuseIfLocked(home: string): Promise<void> {
  if (worked.has(home)) throw busy(home, process.pid);
  await refuseIfHeld(home);
}

async function makeLock(lock: string, directory: string): Promise<void> {
  try {
    await (await openPrivate(lock, directory)).close();
  } catch (error) {
    const cause = error instanceof SnapshotError ? error.cause : error;
    throw new SnapshotError(
      'STAGING_WRITE',
      `cannot write beside the Leoflow home, in ${directory}: ${systemErrorText(cause)}`,
      { hint: 'make that directory writable and free some space; nothing was changed', cause },
    );
  }
}

async function refuseIfHeld(home: string): Promise<void> {
  const [other] = await liveTemporaries(dirname(home), lockName(home));
  if (other !== undefined) throw busy(home, other.pid);
}

function lockName(home: string): string {
  return `${basename(home)}.restore`;
}

function busy(home: string, pid: number): SnapshotError {
  return new SnapshotError('INSTALL_BUSY', `another restore (process ${pid}) is working on ${home}`, {
    hint: 'wait for it to end',
  });
}
