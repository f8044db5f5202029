/**
 * What `list()` and `inspect()` are asked to do, and what they found.
 */
import type { Readable } from 'node:stream';
import type { Manifest } from './archive/index.js';
import type { ArchivePart, Large } from './contents/breakdown.js';
import type { ContentsEntry } from './contents.js';
import type { RestoreProgress } from './events.js';
import type { LeftOut } from './options.js';
import type { Outlook } from './outlook.js';

/** What `list()` is asked to do. */
export interface ListOptions {
  /** The archive: a path, or a stream of its bytes (copied to a private temporary file first). */
  archive: string | Readable;
  /**
   * What to list: names as they stand in the archive, or patterns of `*`, `?`, `[…]` and `**`. An entry beneath a directory that is chosen is chosen, too.
   * Default: everything.
   */
  patterns?: readonly string[];
  /** Stops it; the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives entries and progress, synchronously; it must not throw. */
  onEvent?: (event: ListEvent) => void;
  /**
   * Called after each batch of events, some thousands at most; there are no more of them before its promise is fulfilled. So whoever hands them on to something
   * slow need not keep them all. One that rejects ends the call with its error.
   */
  pace?: () => Promise<void>;
}

/** There is but one. */
export type ListPhase = 'list';

/** What `list()` says while it runs. */
export type ListEvent =
  | { type: 'phase'; phase: ListPhase }
  /** Only where all of the archive has to be read. */
  | { type: 'progress'; progress: RestoreProgress }
  /** Something worth knowing that is not an error, one sentence. */
  | { type: 'note'; message: string }
  /** An entry that was chosen, in the order of the archive. */
  | { type: 'entry'; entry: ContentsEntry };

/** How an archive was looked into. Sizes are in bytes. */
export interface Look {
  /** As it was named; null for a stream. */
  archive: string | null;
  /** Of the archive. */
  size: number;
  /** Where its entries are known from: its index, or reading all of it. */
  source: 'index' | 'archive';
  /** How much of the archive was read. */
  bytesRead: number;
  /** Milliseconds from start to end. */
  durationMs: number;
}

/** What `list()` found; the entries themselves are told as events. */
export interface ListResult extends Look {
  /** How many entries were chosen. */
  entries: number;
  /** Content of the files among them. */
  bytes: number;
  /** Patterns that chose nothing. */
  unmatched: string[];
}

/** What `inspect()` is asked to do. */
export interface InspectOptions {
  /** The archive: a path, or a stream of its bytes (copied to a private temporary file first). */
  archive: string | Readable;
  /** As many of the largest directories and files are found, up to 1,000. Default: 10. */
  top?: number;
  /** The Leoflow home that it might be restored to. Default: `~/.leoflow` of the invoking user (of `$SUDO_USER` under sudo). */
  home?: string;
  /** The datastore there, as a libpq URI or keyword/value string. Default: the home's managed cluster, then its Docker port. */
  dsn?: string;
  /** Directory of the PostgreSQL programs. Default: the install's own, then `PATH`, then the usual places. */
  pgBin?: string;
  /** Stops it; the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives progress, synchronously; it must not throw. */
  onEvent?: (event: InspectEvent) => void;
}

/** The phases: the archive is read; it is looked at what is here. */
export type InspectPhase = 'read' | 'judge';

/** What `inspect()` says while it runs. */
export type InspectEvent =
  | { type: 'phase'; phase: InspectPhase }
  /** Only where all of the archive has to be read. */
  | { type: 'progress'; progress: RestoreProgress }
  /** Something worth knowing that is not an error, one sentence. */
  | { type: 'note'; message: string };

/** What `inspect()` found. Sizes are in bytes. */
export interface InspectResult extends Look {
  /** Gzip members; null where it is read as one stream. */
  members: number | null;
  manifest: Manifest;
  /** Those that there are, in the order of the archive. */
  parts: ArchivePart[];
  /** What is in the workspace. */
  workspace: {
    /** Regular files. */
    files: number;
    /** Directories, the workspace itself among them. */
    directories: number;
    /** Symbolic links. */
    links: number;
    /** Size of the files. */
    bytes: number;
  };
  /** Of the workspace, largest first. */
  largest: {
    /** Each with all that is beneath it. */
    directories: Large[];
    /** Files by themselves. */
    files: Large[];
  };
  /** What the rules left out of the workspace, most first, 1,000 at most; null where the archive does not say. */
  leftOut: LeftOut[] | null;
  /**
   * How many paths the backup could not take, or not as they were: it ended with status 3. 0 where the archive says of none, null where it has no index to
   * say it.
   */
  incomplete: number | null;
  /** Whether it could be restored here. */
  outlook: Outlook;
}
