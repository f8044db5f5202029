/**
 * The datastore of a backup, for as long as its dump takes: one that runs, or, where that is asked for, one that is started for the backup.
 *
 *     begin: say that a backup uses it; under the lock: start it if it is stopped
 *     end:   under the lock: say that this one is done, and whoever is the last one stops it
 *
 * Only a server that was started for a backup is ever stopped, and only if neither another backup, nor `leoflow lite`, nor a restore, nor any session
 * relies on it. A backup that is killed leaves it running; the next one finds it by its command line, and stops it in the end.
 */
import { clearStaleBeside } from './beside-home.js';
import {
  type Datastore,
  type DatastoreOptions,
  openDatastore,
  pgdataOf,
  runsForBackup,
  startForBackup,
  stopUnlessUsed,
} from './datastore/index.js';
import { SnapshotError } from './errors.js';
import type { Warning } from './events.js';
import { holdForBackup, lockBriefly, usersOfDatastore } from './install-lock.js';
import type { BackupResult } from './options.js';
import { requireNothingUnfinished } from './recovery.js';

/** A datastore that answers, and how to let it go. */
export interface DatastoreLease {
  datastore: Datastore;
  cluster: BackupResult['datastore']['cluster'];
  /** Stops it, if it is ours to stop; where that fails it warns. Idempotent. */
  release(): Promise<void>;
}

/** What a lease is asked for. */
export interface LeaseRequest {
  /** The home as it was named. */
  namedHome: string;
  search: DatastoreOptions;
  /** Whether to start a datastore that is stopped. */
  start: boolean;
  onNote: (message: string) => void;
  onWarning: (warning: Warning) => void;
}

/**
 * Opens the datastore.
 *
 * @throws as {@link openDatastore}; with `start` also `USAGE`, `CLUSTER_ROOT`, `CLUSTER_START`, `INSTALL_BUSY`, `RECOVERY_NEEDED`, `STAGING_WRITE`. Then
 *   everything is as it was
 */
export async function leaseDatastore(request: LeaseRequest): Promise<DatastoreLease> {
  const { search, start } = request;
  if (!start) {
    const datastore = await openDatastore(search);
    const cluster = datastore.connection.kind === 'dsn' ? 'external' : 'running';
    return { datastore, cluster, release: () => Promise.resolve() };
  }
  if (search.dsn !== undefined) {
    throw new SnapshotError('USAGE', 'the datastore of the install is to be started, but another one is named', {
      hint: 'leave out one of the two: dsn, or startDatastore',
    });
  }
  const { state, end } = await begin(request);
  let ending: Promise<void> | undefined;
  const release = () => {
    ending ??= end();
    return ending;
  };
  try {
    const datastore = await openDatastore(search);
    return { datastore, cluster: state === 'started' ? 'started' : 'running', release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function begin(request: LeaseRequest) {
  const { namedHome, search, onNote } = request;
  const options = { home: namedHome, pgBin: search.pgBin, signal: search.signal };
  await clearStaleBeside(namedHome);
  const leave = await holdForBackup(namedHome);
  try {
    const unlock = await lockBriefly(namedHome, 'switch', search.signal);
    try {
      await requireNothingUnfinished(namedHome);
      const state = await startForBackup(options);
      if (state === 'started') onNote('the datastore was not running: it is started for this backup only');
      return { state, end: () => finish(request, leave) };
    } finally {
      await unlock();
    }
  } catch (error) {
    await leave();
    throw error;
  }
}

/** What is asked is how things are now: meanwhile others may have come, or taken the server over, or stopped it. */
async function finish(
  { namedHome: home, search: { pgBin }, onNote, onWarning }: LeaseRequest,
  leave: () => Promise<void>,
): Promise<void> {
  try {
    if (!(await runsForBackup(home))) return;
    const unlock = await lockBriefly(home, 'switch');
    try {
      await leave();
      const [first] = await usersOfDatastore(home);
      const use = first === undefined ? await stopUnlessUsed({ home, pgBin }) : `${first} uses it`;
      if (use !== null) onNote(`the datastore that was started for a backup is left running: ${use}`);
    } finally {
      await unlock();
    }
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    if (error.code === 'INSTALL_BUSY') {
      onNote(`the datastore that was started for a backup is left running: ${error.message}`);
    } else {
      const message = `the datastore that was started for a backup still runs: ${error.message}`;
      onWarning({ code: 'still-running', path: pgdataOf(home), message, incomplete: false });
    }
  } finally {
    await leave();
  }
}
