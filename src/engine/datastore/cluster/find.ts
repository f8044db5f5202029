/**
 * Which cluster a restore goes into, and what state it is in, without changing anything.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SnapshotError } from '../../errors.js';
import { type Connection, dsnConnection, managedConnection, redirect } from '../connection.js';
import { askServer, connectionFailure, nobodyListens, type ServerFacts } from '../open.js';
import { PsqlError } from '../psql.js';
import type { ToolSearch } from '../tools.js';
import { type MeantDatastore, meantDatastore } from './meant.js';

/** The databases from which others are administered, most wanted first. */
export const MAINTENANCE = ['postgres', 'template1'];

/** A cluster found. */
export type FoundCluster =
  | {
      state: 'running' | 'external';
      /** To the live database, or to a maintenance database when `liveExists` is false. */
      connection: Connection;
      server: ServerFacts;
      liveDatabase: string;
      liveExists: boolean;
    }
  /** `major`: the release that wrote its files. */
  | { state: 'stopped'; major: number }
  | { state: 'absent' };

/** What a server says that will soon be up, or be gone (a restore that was killed may have left it on its way down). */
const CHANGING = /the database system is (?:starting up|shutting down)/;
/** Seconds to wait for either. */
const PATIENCE = 60;

/**
 * Finds the cluster of a home, or the one an address names.
 *
 * @throws `DATASTORE_UNREACHABLE`, `DATASTORE_AUTH`, `DATASTORE_QUERY`, `DSN_INVALID`, `INTERRUPTED`; `CLUSTER_PROVISION` where what stands in its
 *   place is none
 */
export async function findCluster(psql: string, search: ToolSearch, dsn: string | undefined): Promise<FoundCluster> {
  const { home, signal } = search;
  if (dsn !== undefined) {
    const connection = dsnConnection(dsn);
    return { state: 'external', ...(await reach(psql, connection, signal)) };
  }
  const managed = managedConnection(home);
  try {
    return { state: 'running', ...(await reach(psql, managed, signal)) };
  } catch (error) {
    if (!isSilence(error)) throw error;
  }
  const meant = await meantDatastore(home);
  if (meant.kind === 'managed') return { state: 'stopped', major: meant.major };
  return (await findDocker(psql, meant, signal)) ?? { state: 'absent' };
}

/** Somebody else's server on the default port is none of ours, unless the home says that its datastore is there. */
async function findDocker(
  psql: string,
  { connection, claimed }: MeantDatastore & { kind: 'docker' },
  signal: AbortSignal | undefined,
): Promise<FoundCluster | undefined> {
  try {
    const found = await reach(psql, connection, signal);
    return claimed || found.liveExists ? { state: 'running', ...found } : undefined;
  } catch (error) {
    if (claimed || !(error instanceof SnapshotError) || error.code === 'INTERRUPTED') throw error;
    return undefined;
  }
}

function isSilence(error: unknown): boolean {
  return error instanceof SnapshotError && error.cause instanceof PsqlError && nobodyListens(error.cause);
}

async function reach(psql: string, connection: Connection, signal: AbortSignal | undefined) {
  for (let waited = 0; ; waited++) {
    try {
      const server = await askServer(psql, connection, signal);
      return { connection, server, liveDatabase: server.database, liveExists: true };
    } catch (error) {
      if (!(error instanceof PsqlError)) throw error;
      const missing = /database "(.*)" does not exist/.exec(error.words)?.[1];
      if (missing !== undefined) return await reachWithout(psql, connection, missing, signal);
      if (!CHANGING.test(error.words) || waited >= PATIENCE) throw connectionFailure(connection, error);
    }
    await sleep(1000, undefined, { ...(signal && { signal }) }).catch(() => {});
  }
}

/** The live database is not there yet: the server is asked from another one. */
async function reachWithout(psql: string, live: Connection, liveDatabase: string, signal: AbortSignal | undefined) {
  const connection = await maintenanceOf(psql, live, liveDatabase, signal);
  const server = await askServer(psql, connection, signal).catch((error: unknown) => {
    throw error instanceof PsqlError ? connectionFailure(connection, error) : error;
  });
  return { connection, server, liveDatabase, liveExists: false };
}

/**
 * A database other than the live one that we can connect to.
 *
 * @throws `DATASTORE_UNREACHABLE`, `DATASTORE_AUTH`
 */
export async function maintenanceOf(
  psql: string,
  connection: Connection,
  liveDatabase: string,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  let failure: unknown;
  for (const dbname of MAINTENANCE.filter((name) => name !== liveDatabase)) {
    const candidate = redirect(connection, { dbname });
    try {
      await askServer(psql, candidate, signal);
      return candidate;
    } catch (error) {
      if (!(error instanceof PsqlError)) throw error;
      failure ??= connectionFailure(candidate, error);
    }
  }
  throw failure;
}
