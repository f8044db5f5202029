/**
 * What `diff()` is asked to do, what it says meanwhile, and what it found.
 */
import type { Manifest } from './archive/index.js';
import type { RestoreProgress, Warning } from './events.js';
import type { RestorePart } from './options.js';

/** What `diff()` is asked to do. */
export interface DiffOptions {
  /** Path of an archive. */
  from: string;
  /** Path of another one; null for the install as it is now. */
  to: string | null;
  /** The parts to compare. Default: all. `config` is config.yaml and setup.json. */
  only?: readonly RestorePart[];
  /** Of the install: the Leoflow home. Default: `~/.leoflow` of the invoking user (of `$SUDO_USER` under sudo). */
  home?: string;
  /** Of the install: patterns in gitignore syntax that a backup would be told, relative to the workspace. */
  exclude?: readonly string[];
  /** Of the install: the datastore as a libpq URI or keyword/value string. Default: the managed cluster; where there is none, the Docker port. */
  dsn?: string;
  /** Of the install: directory of `pg_dump` and `psql`. Default: the install's own, then `PATH`, then the usual places. */
  pgBin?: string;
  /** Worker threads, at least 1. Default: the processors available to this process. */
  workers?: number;
  /** Stops it; the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives differences and progress, synchronously; it must not throw. */
  onEvent?: (event: DiffEvent) => void;
  /**
   * Called after each batch of events, some thousands at most; there are no more of them before its promise is fulfilled. So whoever hands them on to something
   * slow need not keep them all. One that rejects ends the call with its error.
   */
  pace?: () => Promise<void>;
}

/** The phases, in their order; a `read` only where an archive has to be read as one stream. */
export type DiffPhase = 'read' | 'workspace' | 'datastore';

/** What `diff()` says while it runs. */
export type DiffEvent =
  | { type: 'phase'; phase: DiffPhase }
  | { type: 'progress'; progress: RestoreProgress }
  /** A file or directory of the install that cannot be compared; of a file, what else is known of it is. */
  | { type: 'warning'; warning: Warning }
  /** Something worth knowing that is not an error, one sentence. */
  | { type: 'note'; message: string }
  | { type: 'difference'; difference: Difference };

/** What differs of an entry that both sides have. */
export type Aspect = 'type' | 'content' | 'target' | 'mode' | 'mtime';

/** Something that is not the same on both sides. Never a value of the configuration: there are secrets among them. */
export type Difference =
  | {
      part: 'config';
      change: Change;
      /** The file that the key is in. */
      file: 'config.yaml' | 'setup.json';
      /** Nested ones with dots; null for the file as a whole. */
      key: string | null;
    }
  | {
      part: 'workspace';
      change: Change;
      /** Relative to the workspace, and empty for the workspace itself. */
      path: string;
      /** What it is, on the second side where both have it. */
      kind: 'file' | 'directory' | 'symlink';
      /** In what they differ; empty where only one side has it. */
      aspects: Aspect[];
    }
  | {
      part: 'datastore';
      change: Change;
      /** As the dump names it: `public.dag`. */
      table: string;
      /** Rows on the first side; null where the table is not there. */
      rowsFrom: number | null;
      /** Rows on the second side; null where the table is not there. */
      rowsTo: number | null;
    };

/** `added` and `removed` are as seen from the first side: what only the second one has is added. */
export type Change = 'added' | 'removed' | 'changed';

/** How many differences there are in a part, and how much is the same. */
export interface PartDifferences {
  /** Only on the second side. */
  added: number;
  /** Only on the first side. */
  removed: number;
  /** On both, but not the same. */
  changed: number;
  /** On both, and the same. What could not be compared does not count. */
  same: number;
}

/** What `diff()` found; the differences themselves are told as events. */
export interface DiffResult {
  /** Path of the archive. */
  from: string;
  /** Path of the other one, or the home of the install. */
  to: string;
  /** Whether the second side is the install. */
  live: boolean;
  /** Of both sides. */
  manifests: {
    from: Manifest;
    /** Null for an install. */
    to: Manifest | null;
  };
  /** Whether there is any difference. */
  differs: boolean;
  /** Keys; null where the part was not compared. */
  config: PartDifferences | null;
  /** Entries; null where the part was not compared. */
  workspace: PartDifferences | null;
  /** Tables; null where the part was not compared. */
  datastore: PartDifferences | null;
  /**
   * What could not be compared, or not all of it: each was a warning, lies below a directory that was, or is a hard link of another tar's archive whose content
   * is not known. As long as there is any, nothing says that both sides are the same.
   */
  uncompared: number;
  /** Milliseconds from start to end. */
  durationMs: number;
  /** Worker threads. */
  workers: number;
}
