/**
 * Which datastore a home means at whose managed socket nobody listens: its own cluster, which is stopped, or the one in Docker.
 *
 * A home that has a managed cluster means that one, running or not: only a home without one may mean the Docker datastore. A `dev/db-port` beside the
 * cluster changes nothing: it stays behind when an install moves from Docker to a cluster of its own, and the port that it names may be anybody's by
 * now. Who meant Docker all the same gets an error and names it; who got a dump of the wrong database would notice when it is needed.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type Connection, dockerConnection } from '../connection.js';
import { clusterMajor } from './server.js';

/** What a home means whose managed socket is silent. */
export type MeantDatastore =
  /** `major`: the release that wrote its files. */
  | { kind: 'managed'; major: number }
  /** `claimed`: the home says that its datastore is there. Else it is only where one would be. */
  | { kind: 'docker'; connection: Connection; claimed: boolean };

/**
 * Looks into the home, and asks no server.
 *
 * @throws `CLUSTER_PROVISION` where what stands in the cluster's place is none
 */
export async function meantDatastore(home: string): Promise<MeantDatastore> {
  const major = await clusterMajor(home);
  if (major !== undefined) return { kind: 'managed', major };
  return { kind: 'docker', connection: await dockerConnection(home), claimed: await claimsDocker(home) };
}

/** Whether a home says, or has once said, that its datastore is in Docker. */
export function claimsDocker(home: string): Promise<boolean> {
  return access(join(home, 'dev', 'db-port')).then(
    () => true,
    () => false,
  );
}
