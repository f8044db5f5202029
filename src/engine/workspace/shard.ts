/**
 * What the walk asks and the scan answers. Apart from the scan itself, so that only the threads which scan load fast-glob: it is most of what a thread would
 * have to load, and restores have no use for it.
 */
import type { Warning } from '../events.js';
import type { EntryTable } from './entry-table.js';
import type { ExclusionRules, IgnoreChain } from './exclusion.js';

/** A piece of the workspace to look at. */
export interface Shard {
  /** The directory, relative to the workspace. */
  directory: string;
  /** The names in it to look at, in order; null for all. */
  names: readonly string[] | null;
  /** The ignore files that apply in it; for a page that includes its own. */
  ignores: IgnoreChain | null;
}

/** What became of a shard: its entries, or the shards it fell into. */
export type Listing =
  | {
      type: 'entries';
      table: EntryTable;
      /** Directories (by row) whose content is still to be scanned, in path order. */
      open: { row: number; shards: Shard[] }[];
    }
  | { type: 'shards'; shards: Shard[] };

export interface ScanTask {
  /** The workspace. */
  root: string;
  rules: ExclusionRules;
  shards: readonly Shard[];
}

export interface ScanResult {
  /** One per shard of the task, in its order. */
  listings: Listing[];
  /** How often each rule matched: `[rule, directories, files]`. */
  leftOut: [rule: string, directories: number, files: number][];
  warnings: Warning[];
}

/** Most names in one page of a directory. */
export const PAGE_NAMES = 4096;
