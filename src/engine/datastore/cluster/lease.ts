/**
 * A cluster that is up for as long as a restore needs it, and afterwards as it was before: one that was started is stopped again, one that was made is
 * kept when the restore succeeds, and else removed without a trace.
 */
import { resolve } from 'node:path';
import { SnapshotError } from '../../errors.js';
import { type Connection, DATABASE, pgdataOf } from '../connection.js';
import { type DatastoreInUse, type DatastoreOptions, describe, majorOf, type ServerFacts } from '../open.js';
import { literal, PsqlError, queryFailure, queryJson } from '../psql.js';
import { requirePsqlWithRestrict } from '../replay/restrict.js';
import { findTool, requirePsql, type Tool, type ToolSearch, toolMissing } from '../tools.js';
import { type Admin, HAS_USER_TABLES } from './admin.js';
import { bringUp, type ClusterUp } from './bring-up.js';
import { findCluster, maintenanceOf } from './find.js';
import { findInitdb, findServer, requireAccount, requireShortSocket } from './server.js';

/** A cluster that is up for the duration of a restore. */
export interface ClusterLease extends Admin, Pick<ClusterUp, 'state' | 'release'> {
  /** Connected to the live database, or to the maintenance database when the live one does not exist yet. */
  datastore: DatastoreInUse;
  /** Whether the role may create databases and roles; if not, a dump can only be replayed in place. */
  maySwap: boolean;
  liveDatabase: string;
  liveExists: boolean;
}

/**
 * Brings a cluster up for a restore, with a psql that can be locked.
 *
 * @throws `TOOL_NOT_FOUND`, `TOOL_TOO_OLD`, `CLUSTER_ROOT`, `CLUSTER_START`, `CLUSTER_PROVISION`, `DATASTORE_UNREACHABLE`, `DATASTORE_AUTH`,
 *   `DATASTORE_QUERY`, `DSN_INVALID`, `INTERRUPTED`; then everything is as it was
 */
export async function leaseCluster(options: DatastoreOptions): Promise<ClusterLease> {
  const search = { home: resolve(options.home), pgBin: options.pgBin, signal: options.signal };
  const psql = await requirePsqlWithRestrict(search);
  const up = await bringUp(psql, search, options.dsn);
  try {
    return await complete(up, psql, search);
  } catch (error) {
    await up.release({ keep: false });
    throw error;
  }
}

async function complete({ found, state, release }: ClusterUp, psql: Tool, search: ToolSearch): Promise<ClusterLease> {
  const { connection, server, liveDatabase, liveExists } = found;
  // A restore runs no pg_dump, but a datastore has one: any release will do.
  const { tool: pgDump } = await findTool('pg_dump', search);
  if (pgDump === undefined) throw toolMissing('pg_dump', search);
  const datastore = describe(connection, server, { pgDump, psql });
  const rights = await askRights(psql.path, connection, liveDatabase, search.signal);
  const maintenance = await maintenanceOf(psql.path, connection, liveDatabase, search.signal).catch(
    (error: unknown) => {
      // Whoever may not swap needs no other database.
      if (rights.may || !(error instanceof SnapshotError) || error.code === 'INTERRUPTED') throw error;
      return connection;
    },
  );
  const maySwap = rights.may;
  return {
    datastore,
    state,
    maySwap,
    liveDatabase,
    liveExists,
    psql: psql.path,
    source: datastore.source,
    maintenance,
    release,
  };
}

/** A database is renamed by its owner, and only if he may create databases. */
function askRights(
  psql: string,
  connection: Connection,
  live: string,
  signal: AbortSignal | undefined,
): Promise<{ may: boolean }> {
  return ask(
    psql,
    connection,
    `SELECT json_build_object('may', rolsuper OR (rolcreatedb AND rolcreaterole AND coalesce(
       (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = ${literal(live)}), true)))
     FROM pg_roles WHERE rolname = current_user;`,
    signal,
  );
}

async function ask<T>(psql: string, connection: Connection, sql: string, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await queryJson<T>(psql, connection, sql, signal);
  } catch (error) {
    throw error instanceof PsqlError ? queryFailure(connection.address, error) : error;
  }
}

/** What there is before a restore. */
export interface ClusterReport {
  state: 'running' | 'stopped' | 'absent' | 'external';
  /** Release of the server that a restore would use: `15.18 (Debian …)`, or only `15` while it is stopped; null where none can be made. */
  serverVersion: string | null;
  /** 15. */
  serverMajor: number | null;
  liveDatabase: string;
  /** Null where it is unknown because the server is stopped. */
  liveExists: boolean | null;
  /** Whether the live database has tables (or views, or sequences) of the user's; null where it is unknown because the server is stopped. */
  userTables: boolean | null;
  /** For people; null where there is no server that answers. */
  source: string | null;
}

/**
 * Looks at what a restore would find, without changing anything: nothing is started, nothing is made.
 *
 * @throws as {@link leaseCluster}, but for what starting and making a cluster throw
 */
export async function inspectCluster(options: DatastoreOptions): Promise<ClusterReport> {
  const search = { home: resolve(options.home), pgBin: options.pgBin, signal: options.signal };
  const psql = await requirePsql(search);
  const found = await findCluster(psql.path, search, options.dsn);
  if (found.state === 'stopped') {
    const { major } = found;
    const unknown = { liveExists: null, userTables: null, source: null };
    return { state: 'stopped', serverVersion: String(major), serverMajor: major, liveDatabase: DATABASE, ...unknown };
  }
  if (found.state === 'absent') {
    const initdb = await findInitdb(search);
    const version = { serverVersion: initdb?.version ?? null, serverMajor: initdb?.major ?? null };
    return { state: 'absent', ...version, liveDatabase: DATABASE, liveExists: false, userTables: false, source: null };
  }
  const { connection, server, liveDatabase, liveExists, state } = found;
  return {
    state,
    serverVersion: server.version,
    serverMajor: majorOf(server.num),
    liveDatabase,
    liveExists,
    userTables: liveExists && (await ask<boolean>(psql.path, connection, HAS_USER_TABLES, search.signal)),
    source: sourceOf(connection, server),
  };
}

/**
 * Checks what bringing up a server that does not run would find out first. Starts nothing, makes nothing.
 *
 * @throws `TOOL_NOT_FOUND`, `CLUSTER_ROOT`, `CLUSTER_START`
 */
export async function requireStartable(options: DatastoreOptions, found: ClusterReport): Promise<void> {
  const search = { home: resolve(options.home), pgBin: options.pgBin, signal: options.signal };
  if (found.state === 'stopped') await findServer(search, found.serverMajor ?? 0);
  if (found.state !== 'absent') return;
  requireShortSocket(pgdataOf(search.home));
  await requireAccount(search.home);
}

function sourceOf(connection: Connection, server: ServerFacts): string {
  return connection.kind === 'managed' ? connection.address : `${connection.address}/${server.database}`;
}
