/**
 * What a restore does to a datastore, step by step: stage, swap, and the ways back.
 *
 * Each step is whole or does nothing, and each way back may be taken at any time and more than once: a restore that was killed does not know how far
 * it came.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SnapshotError } from '../errors.js';
import { administer, busy, existingDatabases, HAS_USER_TABLES, type Session, sessionsOf } from './cluster/admin.js';
import type { ClusterLease } from './cluster/lease.js';
import { isSwapped, requireIdle, type SwapNames, swap, undo } from './cluster/swap.js';
import { literal } from './psql.js';
import { type InPlaceOptions, type InPlaceTarget, replaceContent, requireHarmlessRole } from './replay/in-place.js';
import { discard, stage, stagedName, sweep } from './replay/sandbox.js';

/** A replayed dump in a database of its own, owned by the real role. */
export interface StagedDatabase {
  name: string;
  /** Drops it. Idempotent. */
  discard(): Promise<void>;
}

/**
 * Replays a plain dump into a new database, in one transaction, as a temporary role that can reach nothing else. When it throws, nothing of it is left.
 *
 * @param options `name`: of the new database, where the caller has written it down before ({@link stagedName})
 * @throws `REPLAY_FAILED` with the line of the dump and psql's words, `REPLAY_UNSAFE`, `INTERRUPTED`, whatever the source of the dump throws
 */
export async function stageDatabase(
  lease: ClusterLease,
  dump: AsyncIterable<Uint8Array>,
  options: { signal?: AbortSignal | undefined; name?: string } = {},
): Promise<StagedDatabase> {
  const { signal, name = stagedName() } = options;
  if (!lease.maySwap) throw new Error('this role may create no database: replay in place');
  const target = { ...lease, serverVersionNum: lease.datastore.serverVersionNum };
  await stage(target, dump, name, signal);
  return { name, discard: () => discard(lease, name) };
}

/**
 * Replaces the content of the live database in one transaction, where the role may create neither databases nor roles. When it throws, the content is
 * what it was; when it returns, there is no way back.
 *
 * @param options `endSessions`: end whatever is connected, instead of refusing; `beforeCommit`: told the transaction's number when all but the commit
 *   is done, for {@link transactionIsCommitted}
 * @throws `DATASTORE_BUSY`, `REPLAY_UNSAFE`, `REPLAY_FAILED`, `INTERRUPTED`
 */
export async function replayInPlace(
  lease: ClusterLease,
  dump: AsyncIterable<Uint8Array>,
  options: InPlaceOptions,
): Promise<void> {
  await requireReplayInPlace(lease, options.signal);
  if (!options.endSessions) await requireIdle(lease, lease.liveDatabase);
  await replaceContent(inPlaceTarget(lease), dump, options);
}

/** Refuses where {@link replayInPlace} would. @throws `DATASTORE_UNREACHABLE`, `REPLAY_UNSAFE` */
export async function requireReplayInPlace(lease: ClusterLease, signal?: AbortSignal): Promise<void> {
  if (!lease.liveExists) {
    throw new SnapshotError(
      'DATASTORE_UNREACHABLE',
      `the database ${lease.liveDatabase} does not exist, and the role may not create it`,
      {
        hint: 'create it, owned by that role, and run this again',
      },
    );
  }
  await requireHarmlessRole(inPlaceTarget(lease), signal);
}

function inPlaceTarget({ psql, source, datastore: { connection, serverVersionNum } }: ClusterLease): InPlaceTarget {
  return { psql, connection, source, serverVersionNum };
}

/** Time between two looks at a transaction under way, and how many there are: a server notices at once that its client is gone. */
const LOOK_MS = 100;
const LOOKS = 600;

/**
 * Whether a transaction of {@link replayInPlace} was committed: for a restore that was killed and does not know. Waits for one that is still under way.
 *
 * @throws `RECOVERY_FAILED` where the server cannot tell
 */
export async function transactionIsCommitted(lease: ClusterLease, transaction: string): Promise<boolean> {
  for (let look = 0; look < LOOKS; look += 1) {
    const status = await administer(lease, `SELECT txid_status(${literal(transaction)}::bigint);`);
    if (status === 'committed') return true;
    if (status === 'aborted') return false;
    if (status !== 'in progress') break;
    await sleep(LOOK_MS);
  }
  throw new SnapshotError(
    'RECOVERY_FAILED',
    `the datastore at ${lease.source} does not tell whether transaction ${transaction} was committed`,
    { hint: 'see whether something still works on the database, and then recover again' },
  );
}

/**
 * Swaps databases in one transaction of renames: live → previous, staged → live.
 *
 * @param options `endSessions`: end whatever is connected, instead of refusing
 * @throws `DATASTORE_BUSY` naming the sessions, `SWAP_FAILED`; nothing is swapped then
 */
export function swapDatabases(lease: ClusterLease, names: SwapNames, options: { endSessions: boolean }): Promise<void> {
  return swap(lease, names, options);
}

/** Whether {@link swapDatabases} has come to its end: for a restore that was killed and does not know. */
export function swapIsDone(lease: ClusterLease, names: SwapNames): Promise<boolean> {
  return isSwapped(lease, names);
}

/**
 * Puts the databases back as they were before {@link swapDatabases}, whether or not it had come to anything. Ends sessions. Idempotent.
 *
 * @throws `SWAP_FAILED`, `DATASTORE_BUSY`
 */
export function undoSwap(lease: ClusterLease, names: SwapNames): Promise<void> {
  return undo(lease, names);
}

/** Drops a database (a previous or a staged one, with its temporary role), whoever is connected. One that does not exist is dropped already. */
export function dropDatabase(lease: ClusterLease, name: string): Promise<void> {
  return discard(lease, name);
}

/** Drops a database without tables (or views, or sequences) of the user's, and leaves any other. One that does not exist is dropped already. */
export async function dropEmptyDatabase(lease: ClusterLease, name: string): Promise<void> {
  if (!(await databaseExists(lease, name))) return;
  if ((await administer(lease, HAS_USER_TABLES, { database: name })) === 'false') await discard(lease, name);
}

/** Whether there is a database of that name. */
export async function databaseExists(lease: ClusterLease, name: string): Promise<boolean> {
  return (await existingDatabases(lease, [name])).has(name);
}

/** Drops what killed processes have left on this server: staged databases and temporary roles. Only for a server that is ours alone. */
export function sweepStaged(lease: ClusterLease): Promise<void> {
  return sweep(lease);
}

/** Who is connected to the live database. */
export function listSessions(lease: ClusterLease, signal?: AbortSignal): Promise<Session[]> {
  return sessionsOf(lease, lease.liveDatabase, signal);
}

/**
 * Refuses while anybody is connected to the live database.
 *
 * @throws `DATASTORE_BUSY` naming them
 */
export async function requireNoSessions(lease: ClusterLease, signal?: AbortSignal): Promise<void> {
  const sessions = await listSessions(lease, signal);
  if (sessions.length > 0) throw busy(lease.liveDatabase, sessions);
}
