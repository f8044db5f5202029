/**
 * One work on a home at a time: two restores would undo each other's commits, and an uninstall would remove what a restore has just put in place.
 *
 * A lock is an empty file beside the home whose name says what is being done and which process does it, so one that was killed holds nothing.
 */
import { unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { liveTemporaries, openPrivate, temporaryName } from './archive/index.js';
import { SnapshotError, systemErrorText } from './errors.js';

/** What is done to a home as a whole, or to the directory of an extraction; `start` is the start of its datastore by `leoflow lite`. A recovery is a restore. */
export type Work = 'restore' | 'setup' | 'uninstall' | 'start' | 'extract';

const WORKS: readonly Work[] = ['restore', 'setup', 'uninstall', 'start', 'extract'];
/** What runs for as long as it likes, and is in nobody's way but its own. */
const LITE = 'lite';

type Holder = Work | typeof LITE;

/** What this process does to which homes: a lock's name tells only other processes. */
const worked = new Map<string, Holder[]>();

/**
 * Locks a home for a work that nothing else may disturb.
 *
 * @param home absolute; nothing need be there, but the directory around it
 * @returns gives the lock back; idempotent
 * @throws INSTALL_BUSY, STAGING_WRITE
 */
export function lockInstall(home: string, work: Work = 'restore'): Promise<() => Promise<void>> {
  return hold(home, work, WORKS);
}

/**
 * Says that this process runs the datastore of a home.
 *
 * @returns takes it back; idempotent
 * @throws LITE_RUNNING, STAGING_WRITE
 */
export function holdLite(home: string): Promise<() => Promise<void>> {
  return hold(home, LITE, [LITE]);
}

/** Refuses while a work on the home is under way. Only looks. @throws INSTALL_BUSY */
export function refuseIfLocked(home: string): Promise<void> {
  return refuseIfHeld(home, WORKS);
}

async function hold(home: string, holder: Holder, rivals: readonly Holder[]): Promise<() => Promise<void>> {
  const directory = dirname(home);
  await refuseIfHeld(home, rivals);
  const holders = worked.get(home) ?? [];
  worked.set(home, [...holders, holder]);
  const lock = join(directory, temporaryName(lockName(home, holder)));
  let held = true;
  const release = async () => {
    if (!held) return;
    held = false;
    worked.set(
      home,
      (worked.get(home) ?? []).filter((other) => other !== holder),
    );
    await unlink(lock).catch(() => {});
  };
  try {
    await makeLock(lock, directory);
    // Two that began in the same moment see each other now, and both give way.
    await refuseIfHeldElsewhere(home, rivals);
    return release;
  } catch (error) {
    await release();
    throw error;
  }
}

async function refuseIfHeld(home: string, rivals: readonly Holder[]): Promise<void> {
  const own = worked.get(home)?.find((holder) => rivals.includes(holder));
  if (own !== undefined) throw busy(home, own, process.pid);
  await refuseIfHeldElsewhere(home, rivals);
}

async function refuseIfHeldElsewhere(home: string, rivals: readonly Holder[]): Promise<void> {
  for (const rival of rivals) {
    const [other] = await liveTemporaries(dirname(home), lockName(home, rival));
    if (other !== undefined) throw busy(home, rival, other.pid);
  }
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

function lockName(home: string, holder: Holder): string {
  return `${basename(home)}.${holder}`;
}

function busy(home: string, holder: Holder, pid: number): SnapshotError {
  if (holder === LITE) {
    return new SnapshotError(
      'LITE_RUNNING',
      `the datastore of ${home} runs already, by \`leoflow lite\` (process ${pid})`,
      {
        hint: 'use it as it is; Ctrl-C in the terminal of that one stops it',
      },
    );
  }
  const works = {
    restore: 'another restore',
    setup: '`leoflow setup`',
    uninstall: '`leoflow uninstall`',
    start: '`leoflow lite`',
    extract: '`leoflow lite extract`',
  };
  return new SnapshotError('INSTALL_BUSY', `${works[holder]} (process ${pid}) is working on ${home}`, {
    hint: 'wait for it to end',
  });
}
