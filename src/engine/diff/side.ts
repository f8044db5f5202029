/**
 * What a comparison knows of each of its two sides.
 */
import type { Manifest } from '../archive/index.js';
import type { ListedEntry } from '../workspace/index.js';

/** One of the two that are compared: an archive, or an install as it is now. */
export interface Side {
  /** Path of the archive, or of the home. */
  readonly name: string;
  /** Null for an install. */
  readonly manifest: Manifest | null;
  readonly config: Buffer | null;
  readonly setup: Buffer | null;
  /** Whether it knows of more than files: the Leoflow binary's archives hold neither directories and links, nor modes and times. */
  readonly isFull: boolean;
  /** Where its files lie, if checksums and the targets of links are to be had from there only; null where its entries have them. */
  readonly root: string | null;
  /** The entries of the workspace in path order. Once. */
  entries(): AsyncIterable<readonly ListedEntry[]>;
  /** That path, or the directory above it, that could not be looked at, for a path that the entries have passed; null where it is known to be missing. */
  unseen(path: string): string | null;
  /** Rows by table. After the entries. */
  rows(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}
