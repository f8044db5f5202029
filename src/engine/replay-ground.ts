/**
 * Somewhere to replay a dump only to see whether it can be: a database that is dropped again, on a server that is there, or else on one that is made
 * for it and removed.
 */
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { clearStaleTemporaries, removeTree, temporaryName } from './archive/index.js';
import {
  type ClusterLease,
  type DumpHeader,
  inspectCluster,
  leaseCluster,
  requireServerFor,
  stageDatabase,
  watchOver,
} from './datastore/index.js';
import { DumpSink } from './dump-sink.js';
import { SnapshotError } from './errors.js';
import { giveTo, ownerOf } from './ownership.js';

export interface ReplayGroundOptions {
  /** The Leoflow home: its server is taken where it runs. */
  home: string;
  dsn?: string | undefined;
  pgBin?: string | undefined;
  signal: AbortSignal;
}

/** A server to replay on. */
export class ReplayGround {
  readonly #lease: ClusterLease;
  readonly #signal: AbortSignal;
  /** The home of a cluster that was made for this; null where the server is somebody's. */
  readonly #temporary: TemporaryHome | null;

  private constructor(lease: ClusterLease, signal: AbortSignal, temporary: TemporaryHome | null) {
    this.#lease = lease;
    this.#signal = signal;
    this.#temporary = temporary;
  }

  /** @throws REPLAY_UNSAFE where the role may create no database; TOOL_*, CLUSTER_*, DATASTORE_*, DSN_INVALID, INTERRUPTED */
  static async open({ home, dsn, pgBin, signal }: ReplayGroundOptions): Promise<ReplayGround> {
    const search = { home, dsn, pgBin, signal };
    const isThere = dsn !== undefined || (await inspectCluster(search)).state === 'running';
    const temporary = isThere ? null : await temporaryHome(home);
    let lease: ClusterLease | null = null;
    try {
      lease = await leaseCluster(temporary === null ? search : { ...search, home: temporary.path });
      if (lease.maySwap) return new ReplayGround(lease, signal, temporary);
      throw new SnapshotError('REPLAY_UNSAFE', `the database role at ${lease.source} may create no database`, {
        hint: 'name a role that may create databases and roles, or leave --dsn out',
      });
    } catch (error) {
      await lease?.release({ keep: false });
      await temporary?.remove();
      throw error instanceof SnapshotError && error.code === 'CLUSTER_ROOT' ? refusesRoot(error) : error;
    }
  }

  /** For people. */
  get server(): string {
    return this.#temporary === null ? this.#lease.source : 'a PostgreSQL server made for it';
  }

  /** Begins a replay; `staged` of the sink tells how it went, and what it made has to be discarded. @throws SERVER_TOO_OLD */
  begin(dump: DumpHeader): DumpSink {
    const { serverVersion, serverVersionNum } = this.#lease.datastore;
    requireServerFor(dump, { num: serverVersionNum, version: serverVersion });
    const stream = new PassThrough({ highWaterMark: 1 << 20 });
    return new DumpSink(stream, stageDatabase(this.#lease, stream, { signal: this.#signal }));
  }

  /** Leaves everything as it was. */
  async close(): Promise<void> {
    try {
      await this.#lease.release({ keep: this.#temporary === null });
    } finally {
      await this.#temporary?.remove();
    }
  }
}

/** A private directory for a cluster, which goes with this process at the latest. */
interface TemporaryHome {
  path: string;
  remove(): Promise<void>;
}

/** PostgreSQL refuses root: then it belongs to the owner of the Leoflow home, as the server of a restore would. */
async function temporaryHome(home: string): Promise<TemporaryHome> {
  await clearStaleTemporaries(tmpdir());
  const path = join(tmpdir(), temporaryName('verify'));
  await mkdir(path, { mode: 0o700 });
  const owner = await ownerOf(home);
  await giveTo(owner, path);
  const callOff = watchOver(path, owner ?? undefined);
  return {
    path,
    async remove() {
      try {
        await removeTree(path);
      } finally {
        await callOff();
      }
    },
  };
}

function refusesRoot(cause: SnapshotError): SnapshotError {
  return new SnapshotError(
    'CLUSTER_ROOT',
    'PostgreSQL refuses to run as root, so there is no server to replay the dump on',
    {
      hint: 'run this as an ordinary user, start Leoflow Lite, or name a server with --dsn',
      cause,
    },
  );
}
