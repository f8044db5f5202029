/**
 * What a journal may say.
 *
 * It lies among the files of its user, where an archive can bring one of that name, and it is obeyed by removing things and moving them. So it is believed only
 * where it says nothing but what a commit of ours would: staged things go from temporaries to places beside them or below the target, what stands there goes
 * aside, and what is removed is a temporary, or was moved aside.
 */
import { basename, dirname, join, resolve } from 'node:path';
import { isTemporaryOf, quoted } from './archive/index.js';
import { isStagedName, type SwapNames } from './datastore/index.js';
import { SnapshotError } from './errors.js';
import { type Journal, journalPath, type Move, type Rename } from './journal.js';
import { realPath } from './real-path.js';
import type { Ground } from './take/ground.js';

/** Refuses the journal of a home that no restore has written. Only looks. @throws RECOVERY_FAILED */
export async function requireOfRestore(home: string, journal: Journal): Promise<void> {
  const refuse = refusal(await journalPath(home));
  requireShape(journal, refuse);
  const { renames, carried, databases, temporary, discard } = journal;
  const ownHome = await realPath(home);
  const isStaged = async ({ from, to }: Rename) => {
    const isFile = temporary.includes(from);
    const staging = isFile ? from : dirname(from);
    if (!temporary.includes(staging) || !isTemporaryOf(basename(staging), basename(to))) return false;
    if (dirname(staging) !== dirname(to)) return false;
    if (isFile) return CONFIG.includes(basename(to)) && (await realPath(dirname(to))) === ownHome;
    return from === join(staging, 'workspace') && (await isReal({ from, to }));
  };
  const staged: Rename[] = [];
  for (const step of renames) if (await isStaged(step)) staged.push(step);
  const aside = requireAside(renames, staged, '.before-restore-', refuse);
  const tree = staged.find(({ from }) => !temporary.includes(from));
  const previous = aside.find(({ from }) => from === tree?.to)?.to;
  for (const step of carried) {
    const path = step.to.slice(tree?.to.length);
    const isCarried = tree !== undefined && step.to.startsWith(`${tree.to}/`) && step.from === `${previous}${path}`;
    if (!isCarried || !(await isReal(step))) throw refuse(toMove(step));
  }
  for (const path of temporary) {
    if (!staged.some(({ from }) => from === path || dirname(from) === path)) throw refuse(toRemove(path));
  }
  for (const path of discard.paths) if (!aside.some(({ to }) => to === path)) throw refuse(toRemove(path));
  for (const name of discard.databases) if (name !== databases?.previous) throw refuse(`it would drop ${quoted(name)}`);
}

/** Refuses a journal in the place of that of an extraction which no extraction has written. Only looks. @throws RECOVERY_FAILED */
export async function requireOfExtraction(home: string, { to, directory }: Ground, journal: Journal): Promise<void> {
  const refuse = refusal(await journalPath(home));
  requireShape(journal, refuse);
  const { renames, carried, datastore, temporary, discard } = journal;
  const more = [...carried, ...discard.paths, ...discard.databases];
  if (datastore !== null || temporary.length !== 1 || more.length > 0) throw refuse('it is not that of an extraction');
  for (const path of temporary) {
    if (dirname(path) !== directory || !isTemporaryOf(basename(path), basename(to))) throw refuse(toRemove(path));
  }
  const isBelow = (path: string, above: string) => path.startsWith(join(above, '/'));
  const staged = renames.filter(
    (step) => isBelow(step.to, to) && temporary.some((staging) => isBelow(step.from, staging)),
  );
  requireAside(renames, staged, '.before-extract-', refuse);
  const known = new Set<string>();
  for (const step of renames) {
    // There may be a million, in few directories.
    const directories = `${dirname(step.from)}\0${dirname(step.to)}`;
    if (known.has(directories)) continue;
    if (!(await isReal(step))) throw refuse(toMove(step));
    known.add(directories);
  }
}

const CONFIG: readonly string[] = ['config.yaml', 'setup.json'];

type Refusal = (what: string) => SnapshotError;

/** Every move that is none of what was staged has to be one aside, of what stands in such a place. @returns these */
function requireAside(
  renames: readonly Rename[],
  staged: readonly Rename[],
  suffix: string,
  refuse: Refusal,
): readonly Rename[] {
  const isStaged = new Set(staged);
  const places = new Set(staged.map(({ to }) => to));
  const aside = renames.filter((step) => !isStaged.has(step));
  for (const step of aside) {
    const { from, to } = step;
    if (!places.has(from) || dirname(from) !== dirname(to) || !to.startsWith(from + suffix)) throw refuse(toMove(step));
  }
  // Otherwise it could try all inodes that a thing may have.
  if (new Set(renames.map(({ to }) => to)).size < renames.length) throw refuse('it would move two things to one place');
  return aside;
}

/** Whether the directories of a move are what they are called: a commit of ours goes through no link. */
async function isReal({ from, to }: Move): Promise<boolean> {
  for (const directory of [dirname(from), dirname(to)]) {
    // What nobody can look into, nobody moves anything into.
    if ((await realPath(directory).catch(() => directory)) !== directory) return false;
  }
  return true;
}

function requireShape(journal: Journal, refuse: Refusal): void {
  const { started, state, renames, carried, databases, transaction, datastore, temporary, discard } = journal;
  const isWhole =
    isText(started) &&
    ['committing', 'undone', 'committed'].includes(state) &&
    isList(renames, (step) => isMove(step) && /^\d*$/.test(step.inode)) &&
    isList(carried, isMove) &&
    (databases === null || isSwap(databases)) &&
    (transaction === null || /^\d+$/.test(transaction)) &&
    (isText(datastore) || (datastore === null && databases === null && transaction === null)) &&
    isList(temporary, isPath) &&
    isList(discard?.paths, isPath) &&
    isList(discard?.databases, isText);
  if (!isWhole) throw refuse('it has not the fields of one');
}

function isList<T>(list: readonly T[] | undefined, isItem: (item: T) => boolean): boolean {
  return Array.isArray(list) && list.every(isItem);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && !value.includes('\0');
}

function isPath(value: string): boolean {
  return isText(value) && resolve(value) === value;
}

function isMove(move: Move | null): boolean {
  return move !== null && isPath(move.from) && isPath(move.to);
}

function isSwap({ staged, live, previous }: SwapNames): boolean {
  const isPrevious = previous === null || (isText(previous) && previous.includes('_before_restore_'));
  return isText(staged) && isStagedName(staged) && isText(live) && isPrevious;
}

function toMove({ from, to }: Move): string {
  return `it would move ${quoted(from)} to ${quoted(to)}`;
}

function toRemove(path: string): string {
  return `it would remove ${quoted(path)}`;
}

function refusal(path: string): Refusal {
  return (what) =>
    new SnapshotError('RECOVERY_FAILED', `the journal ${path} is none of this program: ${what}`, {
      hint: 'an archive may have brought it: look at it, and remove it; nothing was changed',
    });
}
