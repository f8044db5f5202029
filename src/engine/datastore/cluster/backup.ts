/**
 * A managed cluster that is started for backups only, and stopped when it is of no more use.
 *
 * The server tells by its command line what it was started for, so one that a killed backup has left is known to the next, and stopped by that one.
 * Whether others of this program rely on it is for the caller to know; here only sessions are looked at.
 */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SnapshotError } from '../../errors.js';
import { managedConnection, pgdataOf } from '../connection.js';
import { type DatastoreOptions, nobodyListens } from '../open.js';
import { PsqlError, queryJson } from '../psql.js';
import { requirePsql } from '../tools.js';
import type { Session } from './admin.js';
import { findCluster } from './find.js';
import { serverRuns } from './postmaster.js';
import { clusterMajor, findServer, STARTED_FOR_BACKUP, startServer, stopServer, wasStartedWith } from './server.js';

/** How often sessions are looked at, and how many milliseconds apart: a server takes a moment to notice that its client is gone. */
const LOOKS = { times: 15, apart: 200 } as const;

/**
 * Sees to it that a home's datastore runs.
 *
 * @returns what it was before: somebody else's and `running`, `left` running by a backup (one that was killed, or one that is not done yet), or stopped,
 *   and `started` now
 * @throws `TOOL_NOT_FOUND`, `CLUSTER_ROOT`, `CLUSTER_START`, `CLUSTER_PROVISION`, `DATASTORE_UNREACHABLE`, `DATASTORE_AUTH`, `DATASTORE_QUERY`,
 *   `INTERRUPTED`; then everything is as it was
 */
export async function startForBackup(options: Omit<DatastoreOptions, 'dsn'>): Promise<'running' | 'left' | 'started'> {
  const search = { home: resolve(options.home), pgBin: options.pgBin, signal: options.signal };
  const found = await findCluster((await requirePsql(search)).path, search, undefined);
  if (found.state === 'stopped') {
    const server = await findServer(search, found.major);
    try {
      await startServer(server, search.signal, STARTED_FOR_BACKUP);
    } catch (error) {
      // pg_ctl may have given up waiting for one that still comes up.
      if (await runsForBackup(search.home)) await stopServer(server);
      throw error;
    }
    return 'started';
  }
  if (found.state === 'absent') {
    throw new SnapshotError(
      'DATASTORE_UNREACHABLE',
      `the datastore is not running, and there is none in ${pgdataOf(search.home)} that could be started`,
      { hint: 'run `leoflow lite` once to have one made, or name another one with --dsn' },
    );
  }
  const isOurs = found.connection.kind === 'managed' && (await wasStartedWith(search.home, STARTED_FOR_BACKUP));
  return isOurs ? 'left' : 'running';
}

/** Whether the server that runs in a home was started for a backup. */
export async function runsForBackup(home: string): Promise<boolean> {
  return (await wasStartedWith(resolve(home), STARTED_FOR_BACKUP)) && (await serverRuns(resolve(home)));
}

/**
 * Stops the server of a home, unless somebody is connected to it, or it cannot be asked who is.
 *
 * @returns null when it is stopped; else why it was left running, one clause
 * @throws `TOOL_NOT_FOUND`, `CLUSTER_ROOT`, `CLUSTER_STOP`
 */
export async function stopUnlessUsed(options: Omit<DatastoreOptions, 'dsn'>): Promise<string | null> {
  const search = { home: resolve(options.home), pgBin: options.pgBin };
  const psql = await requirePsql(search);
  for (let look = 1; ; look += 1) {
    const use = await useOf(psql.path, search.home);
    if (use === null) break;
    if (look === LOOKS.times) return use;
    await sleep(LOOKS.apart);
  }
  await stopServer(await findServer(search, (await clusterMajor(search.home)) ?? 0));
  return null;
}

/** Who is connected to any of the server's databases, one clause. Null for nobody: also where nobody listens, and so nobody can be. */
async function useOf(psql: string, home: string): Promise<string | null> {
  try {
    const [session] = await sessions(psql, home);
    if (session === undefined) return null;
    return `${session.application || 'a session'} of ${session.user} (pid ${session.pid}) uses it`;
  } catch (error) {
    if (!(error instanceof PsqlError)) throw error;
    return nobodyListens(error) ? null : `whether anybody uses it cannot be told: ${error.words}`;
  }
}

/** Whoever is connected to any of the server's databases. @throws {@link PsqlError} */
function sessions(psql: string, home: string): Promise<Pick<Session, 'pid' | 'user' | 'application'>[]> {
  return queryJson(
    psql,
    managedConnection(home, 'template1'),
    `SELECT coalesce(json_agg(json_build_object(
       'pid', pid, 'user', coalesce(usename, ''), 'application', coalesce(application_name, '')) ORDER BY pid), '[]')
     FROM pg_stat_activity
     WHERE pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender');`,
    undefined,
  );
}
