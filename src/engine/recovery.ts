/**
 * Recovery: a restore that was broken off in its commit is finished, or undone.
 *
 *     lock the home → read the journal → reach the datastore it names, and no other → look, go on or back
 */
import { isAbsolute, resolve } from 'node:path';
import { clearStaleTemporaries } from './archive/index.js';
import { clearStaleBeside } from './beside-home.js';
import { resume } from './commit.js';
import { type ClusterLease, type DatastoreOptions, inspectCluster, leaseCluster } from './datastore/index.js';
import { SnapshotError } from './errors.js';
import type { RestoreEvent } from './events.js';
import { defaultHome } from './install/index.js';
import { lockInstall } from './install-lock.js';
import { type Journal, readJournal } from './journal.js';
import { requireOfRestore } from './journal-bounds.js';
import type { RecoverOptions, RecoverResult } from './options.js';
import { realPath } from './real-path.js';
import { recoverCommand } from './recover-command.js';

/**
 * Finishes or undoes a restore that was broken off in its commit.
 *
 * @throws NOTHING_TO_RECOVER, INSTALL_BUSY, RECOVERY_FAILED, and what starting the cluster throws
 */
export async function recover(options: RecoverOptions = {}): Promise<RecoverResult> {
  const started = performance.now();
  const home = resolve(options.home ?? defaultHome());
  if ((await readJournal(home)) === null) throw nothingToRecover(home);
  const unlock = await lockInstall(home);
  try {
    const outcome = await recoverFirst(home, options, (event) => options.onEvent?.(event));
    if (outcome === null) throw nothingToRecover(home);
    return { outcome, home, durationMs: performance.now() - started };
  } finally {
    await unlock();
  }
}

/**
 * What a restore does before anything else: recovers, where there is something to recover, then removes what killed ones left in and beside the home.
 * (What is staged in a commit that was killed must stay until that is resolved.)
 *
 * @returns null where nothing was broken off
 * @throws as {@link recover}
 */
export async function recoverFirst(
  home: string,
  options: RecoverOptions,
  emit: (event: RestoreEvent) => void,
): Promise<RecoverResult['outcome'] | null> {
  const journal = await readJournal(home);
  const outcome = journal === null ? null : await resumeFrom(journal, home, options, emit);
  await clearStaleBeside(home);
  await clearStaleTemporaries(home);
  return outcome;
}

/** Refuses where a commit was broken off that is neither finished nor undone. Only looks. @throws RECOVERY_NEEDED */
export async function requireNothingUnfinished(home: string): Promise<void> {
  const journal = await readJournal(home);
  if (journal === null || journal.state !== 'committing') return;
  throw new SnapshotError('RECOVERY_NEEDED', `a restore to ${home} was broken off in its commit`, {
    hint: `finish or undo it first: ${recoverCommand(home)}`,
  });
}

async function resumeFrom(
  journal: Journal,
  home: string,
  options: RecoverOptions,
  emit: (event: RestoreEvent) => void,
): Promise<RecoverResult['outcome']> {
  await requireOfRestore(home, journal);
  const cluster = journal.datastore === null ? null : await reach(journal.datastore, journal, home, options);
  try {
    const { outcome, leftOver } = await resume({ home, cluster }, journal);
    if (leftOver !== null) emit({ type: 'note', message: `${leftOver.message}; ${leftOver.hint}` });
    return outcome;
  } finally {
    await cluster?.release({ keep: true });
  }
}

/** Brings up the very datastore that the restore worked on. Null where it is not there, and only tidying up needs it. */
async function reach(
  address: string,
  journal: Journal,
  home: string,
  options: RecoverOptions,
): Promise<ClusterLease | null> {
  try {
    const search = datastoreSearch(home, options);
    // A lease would make a cluster where there is none.
    if ((await inspectCluster(search)).state === 'absent') throw elsewhere(home, address, 'there is none now');
    const lease = await leaseCluster(search);
    const found = lease.datastore.connection.address;
    if ((await realAddress(found)) === (await realAddress(address))) return lease;
    await lease.release({ keep: true });
    throw elsewhere(home, address, `this is the one at ${found}`);
  } catch (error) {
    if (journal.state === 'committing') throw error;
    return null;
  }
}

/** A socket lies in the home, which may have been named by a link. */
async function realAddress(address: string): Promise<string> {
  return isAbsolute(address) ? realPath(address).catch(() => address) : address;
}

/** Where the datastore of a restore or a recovery is looked for. */
export function datastoreSearch(home: string, { dsn, pgBin, signal }: RecoverOptions): DatastoreOptions {
  return {
    home,
    ...(dsn === undefined ? {} : { dsn }),
    ...(pgBin === undefined ? {} : { pgBin }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function elsewhere(home: string, address: string, found: string): SnapshotError {
  return new SnapshotError(
    'RECOVERY_FAILED',
    `the restore to ${home} that was broken off worked on the datastore at ${address}, and ${found}`,
    { hint: 'name that datastore with --dsn, as that restore did' },
  );
}

function nothingToRecover(home: string): SnapshotError {
  return new SnapshotError('NOTHING_TO_RECOVER', `no restore to ${home} was broken off`, {
    hint: 'there is nothing to do',
  });
}
