/**
 * A cluster that is up: found running, started, or made.
 *
 *     running  → used                stopped → started
 *     external → used                absent  → made, and started
 *
 * When this process is killed the server stays up: whoever comes next finds it running.
 */
import type { Tool, ToolSearch } from '../tools.js';
import { type FoundCluster, findCluster } from './find.js';
import { findServer, provision, startServer, stopServer } from './server.js';

/** A cluster that answers. */
export type ReachedCluster = Extract<FoundCluster, { state: 'running' | 'external' }>;

/** A cluster brought up, and how to let it go again. */
export interface ClusterUp {
  found: ReachedCluster;
  /** What it was before: `started` and `provisioned` are our doing. */
  state: 'running' | 'started' | 'provisioned' | 'external';
  /**
   * Stops the server again if we started it. One that we made stays (stopped) or is removed entirely. Idempotent.
   *
   * @throws `CLUSTER_STOP`
   */
  release(options: { keep: boolean }): Promise<void>;
}

/**
 * Brings a cluster up.
 *
 * @throws `TOOL_NOT_FOUND`, `CLUSTER_ROOT`, `CLUSTER_START`, `CLUSTER_PROVISION`, `DATASTORE_UNREACHABLE`, `DATASTORE_AUTH`, `DATASTORE_QUERY`,
 *   `DSN_INVALID`, `INTERRUPTED`; then everything is as it was
 */
export async function bringUp(psql: Tool, search: ToolSearch, dsn: string | undefined): Promise<ClusterUp> {
  const found = await findCluster(psql.path, search, dsn);
  if (found.state === 'running' || found.state === 'external') {
    return { found, state: found.state, release: () => Promise.resolve() };
  }
  const { server, remove } =
    found.state === 'stopped'
      ? { server: await findServer(search, found.major), remove: () => Promise.resolve() }
      : await provision(search);
  const release = once(async ({ keep }) => {
    await stopServer(server);
    if (!keep) await remove();
  });
  try {
    await startServer(server, search.signal);
    const reached = await findCluster(psql.path, search, undefined);
    if (reached.state !== 'running') throw new Error('a server that was started does not answer');
    return { found: reached, state: found.state === 'stopped' ? 'started' : 'provisioned', release };
  } catch (error) {
    await release({ keep: false });
    throw error;
  }
}

type Release = ClusterUp['release'];

function once(release: Release): Release {
  let released: Promise<void> | undefined;
  return (options) => {
    released ??= release(options);
    return released;
  };
}
