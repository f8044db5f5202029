/**
 * The walk: entries of the whole workspace in path order, while shards of it are scanned in any order.
 *
 * What is known of the tree is a list in path order, of entries and of shards still to be scanned. The front is handed out; shards near it are
 * given to workers, and their answers take their place in the list. How far ahead is bounded, so is memory.
 */
import { lstat } from 'node:fs/promises';
import { releaseBuffers } from '../archive/index.js';
import { SnapshotError, systemErrorText } from '../errors.js';
import type { Warning } from '../events.js';
import type { LeftOut } from '../options.js';
import { buffersOf, type EntryTable, sliceTable, tableOf } from './entry-table.js';
import type { ExclusionRules } from './exclusion.js';
import { type Listing, PAGE_NAMES, type ScanResult, type ScanTask, type Shard } from './shard.js';

export interface Walk {
  root: string;
  rules: ExclusionRules;
  /** Scans in a worker. */
  scan(task: ScanTask): Promise<ScanResult>;
  /** Scans under way at once. */
  concurrency: number;
  onWarning(warning: Warning): void;
}

/** Entries that may wait between the scan and whoever takes them. */
const ROWS_AHEAD = 8 * PAGE_NAMES;
/** How many names a directory is expected to hold, when shards are put together for a task. */
const EXPECTED_NAMES = 64;

/**
 * A piece of the list: a shard still to be scanned, or rows `from` to `to` (exclusive) of a table that other nodes share, since there may be ten thousand
 * nodes and a table is a dozen objects. Both have the same fields, and what becomes of a shard is written into its node, since V8 leaves the
 * compiled code of a function whenever that meets an object which has changed its shape.
 */
interface Node {
  /** Null for rows. */
  shard: Shard | null;
  scanning: Promise<void> | null;
  table: EntryTable;
  from: number;
  to: number;
  next: Node | null;
}

/** Walks a workspace once. */
export class WorkspaceWalk {
  readonly #walk: Walk;
  readonly #leftOut = new Map<string, LeftOut>();
  #head: Node | null = null;
  #scans = 0;
  #rows = 0;
  /** Shards in the list that nobody scans yet. Where there are none, nobody need look for one among ten thousand nodes. */
  #waiting = 0;

  constructor(walk: Walk) {
    this.#walk = walk;
  }

  /** What each rule left out, most first. Complete when the entries are. */
  get leftOut(): LeftOut[] {
    const total = (entry: LeftOut) => entry.directories + entry.files;
    return [...this.#leftOut.values()].sort((a, b) => total(b) - total(a) || (a.rule < b.rule ? -1 : 1));
  }

  /** Entries in path order, the workspace itself first. A table is valid until the next one is asked for. */
  async *entries(): AsyncGenerator<EntryTable> {
    const { root } = this.#walk;
    const { mode, mtimeNs } = await lstat(root, { bigint: true }).catch((cause: unknown) => {
      throw new SnapshotError('WORKSPACE_NOT_FOUND', `the workspace ${root} vanished: ${systemErrorText(cause)}`, {
        hint: 'see what has become of it, and run this again',
        cause,
      });
    });
    yield tableOf([{ path: '', kind: 'directory', mode: Number(mode) & 0o7777, size: 0, mtimeNs }]);
    this.#head = shardNode({ directory: '', names: null, ignores: null });
    this.#waiting = 1;
    while (this.#head !== null) {
      this.#scanAhead();
      const node = this.#head as Node;
      if (node.shard !== null) {
        await node.scanning;
      } else {
        this.#head = node.next;
        const { table, from, to } = node;
        if (from === to) continue;
        this.#rows -= to - from;
        yield sliceTable(table, from, to);
        // V8 would take it for long-lived by now, and hold tables of a million files before it looks again.
        if (to === table.ends.length) releaseBuffers(buffersOf(table));
      }
    }
  }

  /** Gives the shards nearest to the front to workers; those at the very front however much is known already. */
  #scanAhead(): void {
    while (
      this.#waiting > 0 &&
      this.#scans < this.#walk.concurrency &&
      (this.#rows < ROWS_AHEAD || isWaiting(this.#head))
    ) {
      const batch: Node[] = [];
      let names = 0;
      for (let node: Node | null = this.#head; node !== null && names < PAGE_NAMES; node = node.next) {
        if (!isWaiting(node)) continue;
        batch.push(node);
        names += node.shard?.names?.length ?? EXPECTED_NAMES;
      }
      this.#waiting -= batch.length;
      this.#scan(batch);
    }
  }

  #scan(batch: Node[]): void {
    this.#scans += 1;
    const { root, rules, scan } = this.#walk;
    const scanning = scan({ root, rules, shards: batch.map((node) => node.shard as Shard) }).then((result) => {
      this.#scans -= 1;
      for (const warning of result.warnings) this.#walk.onWarning(warning);
      for (const [rule, directories, files] of result.leftOut) this.#count(rule, directories, files);
      for (const [index, node] of batch.entries()) this.#replace(node, nodesOf(result.listings[index] as Listing));
    });
    // Whoever waits for the node gets the error; one that nobody waits for any more is not a defect.
    scanning.catch(() => {});
    for (const node of batch) node.scanning = scanning;
  }

  /** Puts nodes in the place of one that is in the list. */
  #replace(node: Node, nodes: Node[]): void {
    let next = node.next;
    for (const fresh of nodes.reverse()) {
      fresh.next = next;
      next = fresh;
      if (fresh.shard === null) this.#rows += fresh.to - fresh.from;
      else this.#waiting += 1;
    }
    // The node itself stays where its neighbour points, as rows that are none.
    node.shard = null;
    node.scanning = null;
    node.next = next;
  }

  #count(rule: string, directories: number, files: number): void {
    const count = this.#leftOut.get(rule) ?? { rule, directories: 0, files: 0 };
    count.directories += directories;
    count.files += files;
    this.#leftOut.set(rule, count);
  }
}

function isWaiting(node: Node | null): boolean {
  return node !== null && node.shard !== null && node.scanning === null;
}

const EMPTY = tableOf([]);

function shardNode(shard: Shard): Node {
  return { shard, scanning: null, table: EMPTY, from: 0, to: 0, next: null };
}

function rowsNode(table: EntryTable, from: number, to: number): Node {
  return { shard: null, scanning: null, table, from, to, next: null };
}

function nodesOf(listing: Listing): Node[] {
  if (listing.type === 'shards') return listing.shards.map(shardNode);
  const { table, open } = listing;
  const nodes: Node[] = [];
  let from = 0;
  for (const { row, shards } of open) {
    nodes.push(rowsNode(table, from, row + 1), ...shards.map(shardNode));
    from = row + 1;
  }
  if (from < table.ends.length) nodes.push(rowsNode(table, from, table.ends.length));
  return nodes;
}
