/**
 * A managed cluster that is up for others to use: what `leoflow lite` runs, and what `leoflow uninstall` ends.
 */
import { join, resolve } from 'node:path';
import { DATABASE } from '../connection.js';
import type { DatastoreOptions } from '../open.js';
import { identifier } from '../psql.js';
import { requirePsql, type ToolSearch } from '../tools.js';
import { administer } from './admin.js';
import { bringUp, type ClusterUp } from './bring-up.js';
import { serverGone, serverRuns } from './postmaster.js';
import { clusterMajor, findServer, LOG, STARTED_BY_US, stopServer, wasStartedWith } from './server.js';

/** A cluster that serves. */
export interface ServedCluster {
  /**
   * What it was before:
   * - `running`: somebody else runs it, and goes on doing so
   * - `left`: this program had started it and was killed; from now on it is ours again
   * - `started`, `provisioned`: our doing
   */
  state: 'running' | 'left' | 'started' | 'provisioned';
  /** Path of the socket, or `host:port`. */
  address: string;
  /** `15.18 (Debian …)`. */
  serverVersion: string;
  /** The server's log file. */
  log: string;
  /** Resolves with true when the server is gone without our doing, with false when the signal fires. */
  gone(signal: AbortSignal | undefined): Promise<boolean>;
  /**
   * Stops it, unless somebody else runs it. Idempotent.
   *
   * @throws `CLUSTER_STOP`
   */
  stop(): Promise<void>;
}

/**
 * Brings a home's cluster up, with the database `leoflow_dev` in it.
 *
 * @throws as {@link bringUp}; then everything is as it was
 */
export async function serveCluster(options: DatastoreOptions): Promise<ServedCluster> {
  const search = { home: resolve(options.home), pgBin: options.pgBin, signal: options.signal };
  const psql = await requirePsql(search);
  const up = await bringUp(psql, search, undefined);
  const state = up.state === 'running' && (await isLeft(up, search)) ? 'left' : up.state;
  const { connection, server, liveExists } = up.found;
  const served = {
    address: connection.address,
    serverVersion: server.version,
    log: join(search.home, LOG),
    gone: (signal: AbortSignal | undefined) => serverGone(search.home, signal),
  };
  if (state === 'running' || state === 'external') {
    return { ...served, state: 'running', stop: () => Promise.resolve() };
  }
  try {
    if (!liveExists) {
      const admin = { psql: psql.path, maintenance: connection, source: connection.address };
      await administer(admin, `CREATE DATABASE ${identifier(DATABASE)};`, { signal: search.signal });
    }
  } catch (error) {
    await up.release({ keep: false });
    throw error;
  }
  return { ...served, state, stop: state === 'left' ? async () => stopLeft(search) : () => up.release({ keep: true }) };
}

/** Whether a home's server runs, also one that is just coming up or that runs with other settings than ours. */
export function clusterRuns(home: string): Promise<boolean> {
  return serverRuns(resolve(home));
}

/**
 * Stops a home's server, whoever started it; one that does not run is stopped already.
 *
 * @returns whether it ran
 * @throws `TOOL_NOT_FOUND`, `CLUSTER_ROOT`, `CLUSTER_STOP`
 */
export async function stopCluster(options: DatastoreOptions): Promise<boolean> {
  const search = { home: resolve(options.home), pgBin: options.pgBin, signal: options.signal };
  if (!(await serverRuns(search.home))) return false;
  await stopLeft(search);
  return true;
}

async function stopLeft(search: ToolSearch): Promise<void> {
  // Whatever has come in the meantime, what was begun is ended.
  const { signal: _, ...patient } = search;
  await stopServer(await findServer(patient, (await clusterMajor(search.home)) ?? 0));
}

/** A server tells by its command line who started it. */
async function isLeft({ found }: ClusterUp, { home }: ToolSearch): Promise<boolean> {
  return found.connection.kind === 'managed' && (await wasStartedWith(home, STARTED_BY_US));
}
