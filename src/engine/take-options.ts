/**
 * What `cat()` and `extract()` are asked to do, what they say meanwhile, and what they did.
 */
import type { Readable, Writable } from 'node:stream';
import type { Manifest } from './archive/index.js';
import type { RestoreProgress } from './events.js';

/** What `extract()` is asked to do. */
export interface ExtractOptions {
  /** The archive: a path, or a stream of its bytes (copied to a private temporary file first). */
  archive: string | Readable;
  /**
   * What to extract, at least one: paths in the workspace (`dags/etl`), names as in the archive (`workspace/dags/etl`), or files beside the workspace
   * (`config.yaml`). A directory means all below it. `*`, `?` and `[…]` stand for anything but a slash, `**` for that, too.
   */
  patterns: readonly string[];
  /** The directory below which everything lands under the name that it was asked for. It is made where it is missing. */
  to: string;
  /** Replace files that are in the way; they are kept under another name. Default: false. */
  force?: boolean;
  /** Read and check all that is wanted, change nothing. Default: false. */
  dryRun?: boolean;
  /** Worker threads, at least 1. Default: the processors available to this process. */
  workers?: number;
  /** Stops it, up to the moment when what was extracted is moved into its place: nothing is changed, and the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives progress, synchronously; it must not throw. */
  onEvent?: (event: ExtractEvent) => void;
}

/** The phases: what is wanted is found, staged and checked, and moved into its place. */
export type ExtractPhase = 'find' | 'stage' | 'place';

/** What `extract()` says while it runs. */
export type ExtractEvent =
  | { type: 'phase'; phase: ExtractPhase }
  | { type: 'progress'; progress: RestoreProgress }
  /** Something worth knowing that is not an error, one sentence. */
  | { type: 'note'; message: string };

/** What `extract()` did, or with `dryRun` would have done. Sizes are in bytes. */
export interface ExtractResult {
  /** Whether nothing was changed, and the other fields say what would have been done. */
  dryRun: boolean;
  /** As it was named; null for a stream. */
  archive: string | null;
  manifest: Manifest;
  /** Absolute path of the directory that everything is below. */
  to: string;
  /** Regular files that were extracted. */
  files: number;
  /** Directories. */
  directories: number;
  /** Symbolic links. */
  links: number;
  /** Size of the files. */
  bytes: number;
  /** The first 1,000 paths that were made, a directory that is new with all in it as one; `madeCount` counts all. */
  made: string[];
  /** How many paths were made. */
  madeCount: number;
  /** Files and links that made way. */
  replaced: {
    /** The path that was extracted to. */
    what: string;
    /** Where the previous one lies now; with `dryRun` where it lies. */
    where: string;
  }[];
  /** Whether the archive has checksums, and all that was extracted was compared with them; the Leoflow binary's has none. */
  checksums: boolean;
  /** How much of the archive was read. */
  bytesRead: number;
  /** Size of the archive. */
  size: number;
  /** Milliseconds from start to end. */
  durationMs: number;
  /** Worker threads. */
  workers: number;
}

/** What `cat()` is asked to do. */
export interface CatOptions {
  /** The archive: a path, or a stream of its bytes (copied to a private temporary file first). */
  archive: string | Readable;
  /** The name of a file in it: `workspace/dags/hello.py`, `config.yaml`. */
  name: string;
  /** Takes the content. It is ended. */
  output: Writable;
  /** Stops it; the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives notes, synchronously; it must not throw. */
  onEvent?: (event: CatEvent) => void;
}

/** There is but one. */
export type CatPhase = 'read';

/** What `cat()` says while it runs. */
export type CatEvent = { type: 'note'; message: string };

/** What `cat()` did. Sizes are in bytes. */
export interface CatResult {
  /** As it was named; null for a stream. */
  archive: string | null;
  /** As it stands in the archive. */
  name: string;
  /** Permission bits. */
  mode: number;
  /** Whole seconds since 1970. */
  mtime: number;
  /** Of the content. */
  bytes: number;
  /** Of the content; null where the reader went away before all of it was read. */
  sha256: string | null;
  /** Whether the archive has a checksum of it, which was compared. */
  checksum: boolean;
  /** How much of the archive was read. */
  bytesRead: number;
  /** Size of the archive. */
  size: number;
  /** Milliseconds from start to end. */
  durationMs: number;
}
