/**
 * The commit: everything that was staged takes the place of what was there.
 *
 *     journal: what will be done
 *     renames: old parts aside, staged parts in; directories that are never archived over
 *     databases swapped, in one transaction              ◀ from here on it is done; before, it is undone
 *     journal: committed
 *     temporaries removed, previous parts too if asked; a previous database that is empty
 *     journal removed
 *
 * Every step can be found out to be done or not by looking, and is then done or undone only once. So a failure here, and a recovery after a power cut,
 * are the same thing: read the journal, look, go on or back. Either may itself be broken off, and taken up again.
 */
import { lstat, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeTree, syncDirectory } from './archive/index.js';
import { carry, opened } from './carry-over.js';
import {
  type ClusterLease,
  dropDatabase,
  dropEmptyDatabase,
  swapDatabases,
  swapIsDone,
  transactionIsCommitted,
  undoSwap,
} from './datastore/index.js';
import { SnapshotError, systemErrorCode, systemErrorText } from './errors.js';
import { type Journal, journalPath, type Move, type Rename, removeJournal, writeJournal } from './journal.js';
import { move } from './move.js';
import { recoverCommand } from './recover-command.js';

/** Where a commit takes place. */
export interface CommitSite {
  home: string;
  /** Null where the journal names no datastore. */
  cluster: ClusterLease | null;
  /** How people go on where it was broken off; completes "…, then". Default: the command that recovers the home. */
  goingOn?: string;
}

export interface CommitOptions {
  /** End sessions on the live database instead of refusing. */
  endSessions: boolean;
  /**
   * Replays the dump in place of the swap, where there is none: one transaction, which does nothing when it throws.
   *
   * @param announce to be told its number before it is committed
   */
  replay?: (announce: (transaction: string) => Promise<void>) => Promise<void>;
}

/**
 * Commits, or leaves everything as it was.
 *
 * @returns what could not be tidied up behind a commit that is done; null where nothing is left over
 * @throws COMMIT_FAILED, DATASTORE_BUSY, SWAP_FAILED, what `replay` throws: everything is undone then; RECOVERY_FAILED: it could not be undone, and the
 *   journal stays
 */
export async function commit(
  site: CommitSite,
  journal: Journal,
  options: CommitOptions,
): Promise<SnapshotError | null> {
  let current = journal;
  await begin(site, journal);
  try {
    for (const step of journal.renames) await forward(step, move);
    for (const step of journal.carried) await opened(step, () => forward(step, carry));
    await syncDirectories(journal);
    if (journal.databases !== null) await swapDatabases(leaseOf(site), journal.databases, options);
    await options.replay?.(async (transaction) => {
      current = { ...journal, transaction };
      await writeJournal(site.home, current);
    });
    current = { ...current, state: 'committed' };
    await mark(site, current);
  } catch (error) {
    // Who lost a server in the moment of the commit does not know on which side of it: that is looked up, too.
    const { outcome, leftOver } = await resume(site, { ...current, state: 'committing' }).catch((cause: unknown) => {
      throw inDoubt(site, error, cause);
    });
    if (outcome === 'undone') throw error;
    return leftOver;
  }
  return tidy(site, current);
}

/**
 * Goes on where a commit was broken off.
 *
 * @returns which way it went, and what could not be tidied up behind it
 * @throws RECOVERY_FAILED where something is not as the journal left it
 */
export async function resume(
  site: CommitSite,
  journal: Journal,
): Promise<{ outcome: 'finished' | 'undone'; leftOver: SnapshotError | null }> {
  if (journal.state === 'undone') return { outcome: 'undone', leftOver: await tidy(site, journal) };
  if (journal.state === 'committed' || (await isDone(site, journal))) {
    const committed: Journal = { ...journal, state: 'committed' };
    await mark(site, committed);
    return { outcome: 'finished', leftOver: await tidy(site, committed) };
  }
  return { outcome: 'undone', leftOver: await undo(site, journal) };
}

async function isDone(site: CommitSite, { databases, transaction }: Journal): Promise<boolean> {
  if (databases !== null) return swapIsDone(leaseOf(site), databases);
  return transaction !== null && transactionIsCommitted(leaseOf(site), transaction);
}

async function begin(site: CommitSite, journal: Journal): Promise<void> {
  try {
    await writeJournal(site.home, journal);
  } catch (error) {
    await removeJournal(site.home).catch(() => {});
    throw error;
  }
}

/** Puts everything back as it was before the commit, and tidies up. What is back already stays. */
async function undo(site: CommitSite, journal: Journal): Promise<SnapshotError | null> {
  const { staged, aside } = stepsOf(journal);
  for (const step of aside) await requireNotLost(site, step, staged.get(step.from));
  if (journal.databases !== null) await undoSwap(leaseOf(site), journal.databases);
  for (const step of journal.carried.toReversed()) await opened(step, () => undoCarry(step));
  for (const step of journal.renames.toReversed())
    await (staged.get(step.to) === step ? undoStaged(site, step) : undoAside(site, step));
  await syncDirectories(journal);
  const undone: Journal = { ...journal, state: 'undone' };
  await mark(site, undone);
  return tidy(site, undone);
}

/**
 * Writes down that nothing is to be done any more but to tidy up: from here on what was staged may go, and its names may mean something else.
 * On a full disk there is no room for that; no journal at all says the same.
 */
async function mark(site: CommitSite, journal: Journal): Promise<void> {
  await writeJournal(site.home, journal).catch(() => removeJournal(site.home));
}

/** Removes what is not needed any more, and the journal if all of it went. */
async function tidy(site: CommitSite, journal: Journal): Promise<SnapshotError | null> {
  const { temporary, discard, databases, state } = journal;
  const staged = databases === null ? [] : [databases.staged];
  const goes =
    state === 'committed'
      ? { paths: [...temporary, ...discard.paths], databases: discard.databases }
      : { paths: temporary, databases: staged };
  const failures: unknown[] = [];
  const attempt = (step: Promise<void>) => step.catch((error: unknown) => void failures.push(error));
  for (const path of goes.paths) await attempt(remove(path));
  for (const name of goes.databases) await attempt(drop(site, name));
  // Only now is nobody in it any more, and what it holds is what it will hold. Where nobody can look, it stays.
  const previous = databases?.previous ?? null;
  if (state === 'committed' && previous !== null && site.cluster !== null && !goes.databases.includes(previous))
    await attempt(dropEmptyDatabase(site.cluster, previous));
  // Where it stays, the next restore tries again, and puts its own in its place.
  if (failures.length === 0) await attempt(removeJournal(site.home));
  return failures.length === 0 ? null : leftOver(site, failures);
}

async function remove(path: string): Promise<void> {
  await removeTree(path).catch((error: unknown) => {
    throw new Error(`${path} (${wordsOf(error)})`, { cause: error });
  });
}

async function drop({ cluster }: CommitSite, name: string): Promise<void> {
  try {
    // To tidy up, a recovery does without the datastore where it has to.
    if (cluster === null) throw new Error('its datastore cannot be reached');
    await dropDatabase(cluster, name);
  } catch (error) {
    throw new Error(`the database ${name} (${wordsOf(error)})`, { cause: error });
  }
}

/** Does one move of the commit. */
async function forward({ from, to }: Move, how: (from: string, to: string) => Promise<void>): Promise<void> {
  try {
    // rename() would replace a file or an empty directory that has come into the way meanwhile.
    if (await exists(to)) throw new Error('something is in its place');
    await how(from, to);
  } catch (cause) {
    throw new SnapshotError('COMMIT_FAILED', `cannot move ${from} to ${to}: ${systemErrorText(cause)}`, {
      hint: 'nothing was changed; see that no other program works in these directories, and that neither is a mount point',
      cause,
    });
  }
}

/** Moves of what was staged, by their places, and moves of what stood there, out of their way. */
function stepsOf({ renames }: Journal): { staged: ReadonlyMap<string, Rename>; aside: readonly Rename[] } {
  const places = new Set(renames.map(({ to }) => to));
  const aside = renames.filter(({ from }) => places.has(from));
  const isAside = new Set(aside);
  return { staged: new Map(renames.filter((step) => !isAside.has(step)).map((step) => [step.to, step])), aside };
}

/**
 * Refuses to undo anything where what has to come back is gone: then what has taken its place may be the only one left.
 *
 * @param instead the move of that
 * @throws RECOVERY_FAILED
 */
async function requireNotLost(site: CommitSite, { from, to }: Rename, instead: Rename | undefined): Promise<void> {
  if (await exists(to)) return;
  const there = await inodeOf(from);
  if (there !== null && there !== instead?.inode) return;
  throw new SnapshotError('RECOVERY_FAILED', `what was at ${from} is not there any more, nor at ${to}`, {
    hint: `put it back under one of these names, then ${goingOn(site)}; where it is gone for good, remove ${await journalPath(site.home)} and begin again. Nothing was changed`,
  });
}

async function undoStaged(site: CommitSite, { from, to, inode }: Rename): Promise<void> {
  // Something else stands there where this step was not done, or is undone already.
  if ((await inodeOf(to)) !== inode) return;
  if (await exists(from)) throw notAsLeft(site, from, to);
  // What was staged goes back to its directory, which others may have swept away as a dead process's.
  await mkdir(dirname(from), { recursive: true, mode: 0o700 });
  await move(to, from);
}

async function undoAside(site: CommitSite, { from, to, inode }: Rename): Promise<void> {
  // It is in its place where this step was not done, or is undone already. What stands at the other name, which nobody else uses, is it, whatever its inode.
  if (!(await exists(to)) || (await inodeOf(from)) === inode) return;
  if (await exists(from)) throw notAsLeft(site, from, to);
  await move(to, from);
}

async function undoCarry({ from, to }: Move): Promise<void> {
  // Without the previous workspace, what stands there is in its own place.
  if (!(await exists(to)) || (await exists(from)) || !(await exists(dirname(from)))) return;
  await carry(to, from);
}

async function syncDirectories({ renames, carried }: Journal): Promise<void> {
  const directories = new Set([...renames, ...carried].flatMap(({ from, to }) => [dirname(from), dirname(to)]));
  for (const directory of directories) if (await exists(directory)) await syncDirectory(directory);
}

/** The inode of what stands at a path, of a link its own; null where nothing does. */
export async function inodeOf(path: string): Promise<string | null> {
  try {
    return String((await lstat(path, { bigint: true })).ino);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return null;
    throw error;
  }
}

/** A path that does not exist yet: this one, or with a number behind it. */
export async function unused(path: string): Promise<string> {
  for (let n = 1; ; n += 1) {
    const candidate = n === 1 ? path : `${path}-${n}`;
    if ((await inodeOf(candidate)) === null) return candidate;
  }
}

async function exists(path: string): Promise<boolean> {
  return (await inodeOf(path)) !== null;
}

function leaseOf({ cluster }: CommitSite): ClusterLease {
  if (cluster === null) throw new Error('the journal names databases, and there is no cluster');
  return cluster;
}

function goingOn({ home, goingOn = `run: ${recoverCommand(home)}` }: CommitSite): string {
  return goingOn;
}

function wordsOf(error: unknown): string {
  return error instanceof SnapshotError ? error.message : systemErrorText(error);
}

function notAsLeft(site: CommitSite, from: string, to: string): SnapshotError {
  return new SnapshotError('RECOVERY_FAILED', `cannot move ${to} back to ${from}: something is there again`, {
    hint: `move it out of the way, then ${goingOn(site)}`,
  });
}

function inDoubt(site: CommitSite, error: unknown, cause: unknown): SnapshotError {
  const message = `the commit failed, and could not be undone: ${wordsOf(cause)}. It failed because ${wordsOf(error)}`;
  return new SnapshotError('RECOVERY_FAILED', message, {
    hint: `see to what stands in the way, then ${goingOn(site)}`,
    cause: error,
  });
}

function leftOver(site: CommitSite, errors: readonly unknown[]): SnapshotError {
  const words = errors.map(wordsOf).join('; ');
  return new SnapshotError('RECOVERY_FAILED', `something is left over that could not be removed: ${words}`, {
    hint: `remove it by hand, or see to what stands in the way and ${goingOn(site)}`,
    cause: errors[0],
  });
}
