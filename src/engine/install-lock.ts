/**
 * One work on a home at a time: two restores would undo each other's commits, and an uninstall would remove what a restore has just put in place.
 *
 * A lock is an empty file beside the home whose name says what is being done and which process does it, so one that was killed holds nothing.
 */
import { unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { liveTemporaries, openPrivate, temporaryName } from './archive/index.js';
import { pathForNew, pathsOf } from './beside-home.js';
import { SnapshotError, systemErrorText, throwIfAborted } from './errors.js';

/**
 * What is done to a home as a whole, or to the directory of an extraction; `start` is the start of its datastore by `leoflow lite`, `switch` its start
 * and its stop by a backup. A recovery is a restore.
 */
export type Work = 'restore' | 'setup' | 'uninstall' | 'start' | 'switch' | 'extract';

const WORKS: readonly Work[] = ['restore', 'setup', 'uninstall', 'start', 'switch', 'extract'];
/** Works that are over in a moment: worth waiting for. */
const BRIEF: readonly Work[] = ['start', 'switch'];
/** What runs for as long as it likes, and is in nobody's way but its own. */
const LITE = 'lite';
/** Uses the datastore for as long as a dump takes, and is in nobody's way. */
const BACKUP = 'backup';

type Holder = Work | typeof LITE | typeof BACKUP;

/** Milliseconds to wait for a brief work, and, at most, between two tries. */
const PATIENCE = { whole: 300_000, between: 200 } as const;

/** What this process does to which homes, by their real paths: a lock's name tells only other processes. */
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

/**
 * Locks a home for the start or the stop of its datastore. Waits for another one of these.
 *
 * @returns gives the lock back; idempotent
 * @throws INSTALL_BUSY, STAGING_WRITE, INTERRUPTED
 */
export async function lockBriefly(
  home: string,
  work: 'start' | 'switch',
  signal?: AbortSignal,
): Promise<() => Promise<void>> {
  const end = performance.now() + PATIENCE.whole;
  for (;;) {
    throwIfAborted(signal);
    try {
      return await lockInstall(home, work);
    } catch (error) {
      const waits = error instanceof SnapshotError && error.code === 'INSTALL_BUSY' && performance.now() < end;
      const lasting = WORKS.filter((work) => !BRIEF.includes(work));
      if (!waits || (await holdersOf(home, lasting)).length > 0) throw error;
    }
    // Two that gave way to each other must not meet again.
    await sleep(PATIENCE.between * (0.1 + 0.9 * Math.random()), undefined, { ...(signal && { signal }) }).catch(
      () => {},
    );
  }
}

/**
 * Says that a backup of this process uses the datastore of a home.
 *
 * @returns takes it back; idempotent
 * @throws STAGING_WRITE
 */
export function holdForBackup(home: string): Promise<() => Promise<void>> {
  return hold(home, BACKUP, []);
}

/** Who relies on the datastore of a home right now, restores aside: `leoflow lite (process 12)`. */
export async function usersOfDatastore(home: string): Promise<string[]> {
  const users = await holdersOf(home, [LITE, BACKUP]);
  return users.map(({ holder, pid }) => `${NAMES[holder]} (process ${pid})`);
}

/**
 * Refuses while a work on the home is under way. Only looks.
 *
 * @param more `works`: only one of these; `hint`: what to do instead of waiting
 * @throws INSTALL_BUSY
 */
export async function refuseIfLocked(
  home: string,
  { works = WORKS, hint }: { works?: readonly Work[]; hint?: string } = {},
): Promise<void> {
  const [other] = await holdersOf(home, works);
  if (other !== undefined) throw busy(home, other.holder, other.pid, hint);
}

async function hold(home: string, holder: Holder, rivals: readonly Holder[]): Promise<() => Promise<void>> {
  const key = await keyOf(home);
  const place = await pathForNew(home);
  const directory = dirname(place);
  const lock = join(directory, temporaryName(lockName(place, holder)));
  // Between these two nobody else of this process gets in.
  refuseIfHeldHere(home, key, rivals);
  worked.set(key, [...(worked.get(key) ?? []), holder]);
  let held = true;
  const release = async () => {
    if (!held) return;
    held = false;
    const left = [...(worked.get(key) ?? [])];
    left.splice(left.indexOf(holder), 1);
    worked.set(key, left);
    await unlink(lock).catch(() => {});
  };
  try {
    await refuseIfHeldElsewhere(home, rivals);
    await makeLock(lock, directory);
    // Two that began in the same moment see each other now, and both give way.
    await refuseIfHeldElsewhere(home, rivals);
    return release;
  } catch (error) {
    await release();
    throw error;
  }
}

/** What a home is known by in this process. */
async function keyOf(home: string): Promise<string> {
  return (await pathsOf(home))[0] ?? home;
}

function refuseIfHeldHere(home: string, key: string, rivals: readonly Holder[]): void {
  const own = worked.get(key)?.find((holder) => rivals.includes(holder));
  if (own !== undefined) throw busy(home, own, process.pid);
}

async function refuseIfHeldElsewhere(home: string, rivals: readonly Holder[]): Promise<void> {
  const [other] = await holdersElsewhere(home, rivals);
  if (other !== undefined) throw busy(home, other.holder, other.pid);
}

async function holdersOf(home: string, wanted: readonly Holder[]): Promise<{ holder: Holder; pid: number }[]> {
  const own = (worked.get(await keyOf(home)) ?? []).filter((holder) => wanted.includes(holder));
  return [...own.map((holder) => ({ holder, pid: process.pid })), ...(await holdersElsewhere(home, wanted))];
}

async function holdersElsewhere(home: string, wanted: readonly Holder[]): Promise<{ holder: Holder; pid: number }[]> {
  const all: { holder: Holder; pid: number }[] = [];
  for (const path of await pathsOf(home)) {
    for (const holder of wanted) {
      for (const { pid } of await liveTemporaries(dirname(path), lockName(path, holder))) all.push({ holder, pid });
    }
  }
  return all;
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

function lockName(path: string, holder: Holder): string {
  return `${basename(path)}.${holder}`;
}

const NAMES: Readonly<Record<Holder, string>> = {
  restore: 'a restore',
  setup: '`leoflow setup`',
  uninstall: '`leoflow uninstall`',
  start: '`leoflow lite`',
  switch: 'a backup that starts or stops the datastore',
  lite: '`leoflow lite`',
  backup: 'another backup',
  extract: '`leoflow lite extract`',
};

function busy(home: string, holder: Holder, pid: number, hint = 'wait for it to end'): SnapshotError {
  if (holder === LITE) {
    return new SnapshotError(
      'LITE_RUNNING',
      `the datastore of ${home} runs already, by \`leoflow lite\` (process ${pid})`,
      {
        hint: 'use it as it is; Ctrl-C in the terminal of that one stops it',
      },
    );
  }
  return new SnapshotError('INSTALL_BUSY', `${NAMES[holder]} (process ${pid}) is working on ${home}`, { hint });
}
