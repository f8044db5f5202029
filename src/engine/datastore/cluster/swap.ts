/**
 * The commit of a restored database: it takes the live one's name, and the live one another, in one transaction of renames.
 *
 * `ALTER DATABASE … RENAME` locks the database against new sessions before it waits (five seconds) for the present ones to leave. So sessions are ended
 * while it waits: nobody can come back in between, no setting has to be changed and changed back, and a kill at any moment leaves either all of the
 * renames or none.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SnapshotError } from '../../errors.js';
import { identifier, literal } from '../psql.js';
import { type Admin, administer, busy, existingDatabases, sessionsOf } from './admin.js';

/** The databases of a swap, before it: `staged` becomes `live`, and `live` becomes `previous`. */
export interface SwapNames {
  staged: string;
  live: string;
  /** Null where there is no live database before the swap. */
  previous: string | null;
}

/** Bytes that the name of a database may have; the server cuts longer ones off without an error. */
const LONGEST_NAME = 63;

/** What a live database is called once a restored one has taken its place: `leoflow_dev_before_restore_20260528T143045Z`. */
export function previousName(live: string, time: Date): string {
  const suffix = `_before_restore_${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  let kept = live;
  while (Buffer.byteLength(kept + suffix) > LONGEST_NAME) kept = [...kept].slice(0, -1).join('');
  return kept + suffix;
}

/** Milliseconds between two looks at who is still connected. */
const POLL = 100;
/** Looks until what was told to end counts as something that does not. */
const LOOKS = 100;

/**
 * Swaps the databases; when it throws, nothing is swapped.
 *
 * @param endSessions end whatever is connected to the live database
 * @throws `DATASTORE_BUSY` naming the sessions, `SWAP_FAILED`
 */
export async function swap(admin: Admin, names: SwapNames, options: { endSessions: boolean }): Promise<void> {
  const { staged, live, previous } = names;
  for (const name of [staged, live, previous ?? '']) {
    if (Buffer.byteLength(name) > LONGEST_NAME)
      throw swapFailed(`the name ${name} is longer than ${LONGEST_NAME} bytes`);
  }
  const found = await existing(admin, names);
  if (!found.has(staged)) throw swapFailed(`there is no database ${staged}`);
  if (found.has(live) !== (previous !== null)) {
    throw swapFailed(`the database ${live} ${previous === null ? 'exists by now' : 'is gone'}`);
  }
  if (previous === null) return rename(admin, [[staged, live]], [staged]);
  if (found.has(previous)) throw swapFailed(`there is a database ${previous} already`);
  if (!options.endSessions) await requireIdle(admin, live);
  const renames: Rename[] = [
    [live, previous],
    [staged, live],
  ];
  await rename(admin, renames, options.endSessions ? [live, staged] : [staged]);
}

/**
 * Whether a swap has come to its end, looked up; one that has not does not any more.
 *
 * @throws `SWAP_FAILED` when what a killed process has left behind cannot be ended
 */
export async function isSwapped(admin: Admin, names: SwapNames): Promise<boolean> {
  await endLeftovers(admin, names);
  const found = await existing(admin, names);
  return !found.has(names.staged) && found.has(names.live) && (names.previous === null || found.has(names.previous));
}

/**
 * Undoes a swap, ending sessions where it must. Looks at what there is, so it may be called at any time and any number of times.
 *
 * @throws `SWAP_FAILED`
 */
export async function undo(admin: Admin, names: SwapNames): Promise<void> {
  const { staged, live, previous } = names;
  const found = await existing(admin, names);
  const unswap: Rename[] = found.has(live) ? [[live, staged]] : [];
  if (found.has(staged) && found.has(live)) return;
  if (previous === null) {
    if (!found.has(staged) && unswap.length > 0) await rename(admin, unswap, [live]);
  } else if (found.has(previous)) {
    await rename(admin, [...unswap, [previous, live]], [live, previous]);
  }
}

/**
 * Ends the transaction of a swap whose process was killed. Its psql goes on without it: it may wait for sessions to leave, and commit after all, when
 * somebody has already looked and put everything else back.
 */
async function endLeftovers(admin: Admin, { staged, previous }: SwapNames): Promise<void> {
  const mentioned = [staged, previous].flatMap((name) => (name === null ? [] : `strpos(query, ${literal(name)}) > 0`));
  const sql = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE usename = CURRENT_USER AND state <> 'idle' AND pid <> pg_backend_pid() AND (${mentioned.join(' OR ')});`;
  for (let look = 0; look < LOOKS; look += 1) {
    if ((await administer(admin, sql)) === '0') return;
    await sleep(POLL);
  }
  throw swapFailed('something that cannot be ended still works on them');
}

type Rename = readonly [from: string, to: string];

function existing(admin: Admin, { staged, live, previous }: SwapNames): Promise<Set<string>> {
  return existingDatabases(admin, previous === null ? [staged, live] : [staged, live, previous]);
}

/** Refuses if anybody is connected. */
export async function requireIdle(admin: Admin, database: string): Promise<void> {
  const sessions = await sessionsOf(admin, database);
  if (sessions.length > 0) throw busy(database, sessions);
}

async function rename(admin: Admin, renames: readonly Rename[], ending: readonly string[]): Promise<void> {
  const statements = renames.map(([from, to]) => `ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)};`);
  const state = { done: false };
  const sql = `BEGIN; SET LOCAL synchronous_commit = on; ${statements.join(' ')} COMMIT;`;
  const transaction = administer(admin, sql, { explain: swapFailed }).finally(() => {
    state.done = true;
  });
  const [result] = await Promise.allSettled([transaction, endSessions(admin, ending, state)]);
  if (result.status === 'fulfilled') return;
  const [victim] = renames[0] ?? [];
  const left = victim === undefined ? [] : await sessionsOf(admin, victim);
  if (victim !== undefined && left.length > 0) throw busy(victim, left);
  throw result.reason;
}

/** Ends the sessions of databases, again and again until the renames are done. */
async function endSessions(admin: Admin, databases: readonly string[], until: { done: boolean }): Promise<void> {
  const list = databases.map(literal).join(', ');
  const sql = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IN (${list}) AND pid <> pg_backend_pid();`;
  while (!until.done) {
    await administer(admin, sql);
    await sleep(POLL);
  }
}

/**
 * Drops a database, sessions and all; one that does not exist is dropped already.
 *
 * @throws `DATASTORE_QUERY`
 */
export async function drop(admin: Admin, database: string): Promise<void> {
  if (!(await existingDatabases(admin, [database])).has(database)) return;
  await administer(
    admin,
    `ALTER DATABASE ${identifier(database)} IS_TEMPLATE false;
    DROP DATABASE IF EXISTS ${identifier(database)} WITH (FORCE);`,
  );
}

function swapFailed(words: string): SnapshotError {
  return new SnapshotError('SWAP_FAILED', `the databases could not be swapped: ${words}`, {
    hint: 'nothing was swapped; the database in use is the one it was',
  });
}
