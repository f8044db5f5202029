/**
 * Comparing two workspaces: both in path order, so one look at each entry is enough, and neither is ever in memory.
 *
 * Where one of them lies on the disk its files are read only if nothing else tells: a file of another size needs no checksum.
 */
import { comparePaths } from '../archive/index.js';
import type { Aspect, Difference } from '../diff-options.js';
import type { Warning } from '../events.js';
import { inOrder, type WorkerPool } from '../pool.js';
import { checkOrder, type ListedEntry } from '../workspace/index.js';
import type { Side } from './side.js';

/** Entries that are compared together, and bytes of files that are read for them, before others are begun. */
const BATCH_ENTRIES = 512;
const BATCH_BYTES = 8 << 20;

interface Pair {
  from: ListedEntry | null;
  to: ListedEntry | null;
  /** Whether it lies where the second side could not look: nobody knows if that has it. */
  isUnseen: boolean;
}

/** What came of some entries. */
export interface Compared {
  differences: Difference[];
  same: number;
  /** Entries of the first side that lie where the second one could not look. */
  unseen: number;
  /** Files on both sides, of which one is a hard link whose content is not known: only what else is known of them was compared. */
  unknown: number;
  warnings: Warning[];
}

/** Compares the workspaces of two sides; results come in path order. */
export async function* compareWorkspaces(from: Side, to: Side, pool: WorkerPool): AsyncGenerator<Compared> {
  async function* jobs() {
    for await (const batch of batches(pairs(from, to))) yield () => compareBatch(batch, to.root, pool);
  }
  yield* inOrder(jobs(), 3 * pool.workers);
}

async function compareBatch(batch: readonly Pair[], root: string | null, pool: WorkerPool): Promise<Compared> {
  const unread =
    root === null ? [] : batch.flatMap((pair) => (needsReading(pair) && pair.to !== null ? [pair.to] : []));
  const items = unread.map(({ path, kind }) => ({
    path,
    kind: kind === 'file' ? ('file' as const) : ('symlink' as const),
  }));
  const { sums } = root === null || items.length === 0 ? { sums: [] } : await pool.run('sum', { root, items });
  const read = new Map(unread.map((entry, index) => [entry, sums[index]]));
  const compared: Compared = { differences: [], same: 0, unseen: 0, unknown: 0, warnings: [] };
  for (const { from, to, isUnseen } of batch) {
    if (isUnseen) {
      compared.unseen += 1;
      continue;
    }
    const sum = to === null ? undefined : read.get(to);
    const isRead = to !== null && typeof sum === 'string';
    const known = isRead ? { ...to, [to.kind === 'file' ? 'sha256' : 'target']: sum } : to;
    const difference = differenceOf(from, known);
    const isKnown = isContentKnown(from, known);
    if (difference !== null) compared.differences.push(difference);
    else if (isKnown) compared.same += 1;
    if (typeof sum === 'object') compared.warnings.push(sum);
    else if (!isKnown) compared.unknown += 1;
  }
  return compared;
}

function needsReading({ from, to }: Pair): boolean {
  if (from === null || to === null || from.kind !== to.kind) return false;
  return from.kind === 'symlink' || (from.kind === 'file' && from.size === to.size && from.sha256 !== null);
}

/** Whether all is known that it takes to tell if two files have the same content, or two links the same target. */
function isContentKnown(from: ListedEntry | null, to: ListedEntry | null): boolean {
  if (from === null || to === null || from.kind !== to.kind || from.kind === 'directory') return true;
  if (from.kind === 'symlink') return from.target !== null && to.target !== null;
  const hasOtherSize = from.size !== null && to.size !== null && from.size !== to.size;
  return hasOtherSize || (from.sha256 !== null && to.sha256 !== null);
}

/** Null where there is none. */
function differenceOf(from: ListedEntry | null, to: ListedEntry | null): Difference | null {
  const entry = to ?? from;
  if (entry === null) return null;
  const { path, kind } = entry;
  if (from === null || to === null) {
    return { part: 'workspace', change: from === null ? 'added' : 'removed', path, kind, aspects: [] };
  }
  const aspects = aspectsOf(from, to);
  return aspects.length === 0 ? null : { part: 'workspace', change: 'changed', path, kind, aspects };
}

function aspectsOf(from: ListedEntry, to: ListedEntry): Aspect[] {
  if (from.kind !== to.kind) return ['type'];
  const differs = (what: 'size' | 'sha256' | 'target' | 'mode' | 'mtime') =>
    from[what] !== null && to[what] !== null && from[what] !== to[what];
  const aspects: Aspect[] = [];
  if (differs('size') || differs('sha256')) aspects.push('content');
  if (differs('target')) aspects.push('target');
  // Systems differ in the mode that they give to links.
  if (differs('mode') && from.kind !== 'symlink') aspects.push('mode');
  // That of a directory changes with what lies in it.
  if (differs('mtime') && from.kind !== 'directory') aspects.push('mtime');
  return aspects;
}

async function* batches(source: AsyncIterable<Pair>): AsyncGenerator<Pair[]> {
  let batch: Pair[] = [];
  let bytes = 0;
  for await (const pair of source) {
    batch.push(pair);
    if (needsReading(pair)) bytes += pair.to?.size ?? 0;
    if (batch.length < BATCH_ENTRIES && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** Puts the entries of both sides together by their paths. What one side does not know of is no difference. */
async function* pairs(from: Side, to: Side): AsyncGenerator<Pair> {
  const [left, right] = [new Cursor(from), new Cursor(to)];
  const bothFull = from.isFull && to.isFull;
  try {
    for (;;) {
      const [a, b] = [left.entry ?? (await left.next()), right.entry ?? (await right.next())];
      if (a === null && b === null) return;
      const order = a === null ? 1 : b === null ? -1 : comparePaths(a.path, b.path);
      const unseen = a !== null && order < 0 ? to.unseen(a.path) : null;
      const pair = { from: order <= 0 ? a : null, to: order >= 0 ? b : null, isUnseen: unseen !== null };
      if (order <= 0) left.entry = null;
      if (order >= 0) right.entry = null;
      // The one that could not be looked at is not compared either, and the warning has told it.
      if (pair.isUnseen && unseen === a?.path) continue;
      const isFile = (pair.to ?? pair.from)?.kind === 'file';
      if (bothFull || isFile || (pair.from !== null && pair.to !== null)) yield pair;
    }
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}

/** The entries of a side, one after the other. */
class Cursor {
  /** The one that is looked at; null where the next one has to be asked for. */
  entry: ListedEntry | null = null;
  readonly #batches: AsyncIterator<readonly ListedEntry[]>;
  #batch: readonly ListedEntry[] = [];
  #at = 0;
  #before: string | null = null;

  constructor(side: Side) {
    this.#batches = side.entries()[Symbol.asyncIterator]();
  }

  /** Null at the end. @throws ARCHIVE_UNSAFE where a path stands twice */
  async next(): Promise<ListedEntry | null> {
    while (this.#at >= this.#batch.length) {
      const { value, done } = await this.#batches.next();
      if (done === true) return null;
      this.#batch = value;
      this.#at = 0;
    }
    const entry = this.#batch[this.#at] as ListedEntry;
    this.#at += 1;
    if (this.#before !== null) checkOrder(this.#before, entry.path);
    this.#before = entry.path;
    this.entry = entry;
    return entry;
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}
