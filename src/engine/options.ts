/**
 * What `backup()`, `restore()` and `recover()` are asked to do, and what they did.
 */
import type { Readable, Writable } from 'node:stream';
import type { Manifest } from './archive/index.js';
import type { BackupEvent, RestoreEvent, Warning } from './events.js';

/** What `backup()` is asked to do. Every field is optional; the defaults back up the invoking user's install. */
export interface BackupOptions {
  /** The Leoflow home. Default: `~/.leoflow` of the invoking user (of `$SUDO_USER` under sudo). */
  home?: string;
  /** Where the archive goes: a path, or a stream that takes its bytes. Default: `leoflow-backup-<UTC>.tar.gz` in the current directory. */
  output?: string | Writable;
  /** Patterns in gitignore syntax, relative to the workspace. They come before `.leoflowignore` files; the built-in rules before both. */
  exclude?: readonly string[];
  /** Deflate level, 1 (fast) to 9 (small). Default: 5. */
  level?: number;
  /** Worker threads, at least 1. Default: the processors available to this process (affinity and cgroup quota respected). */
  workers?: number;
  /** The datastore as a libpq URI or keyword/value string. Default: the install's managed cluster; where it has none, its Docker port. */
  dsn?: string;
  /**
   * Start the install's own datastore where it does not run (as its owner: PostgreSQL refuses root), and stop it again once it is dumped, however the
   * backup ends. One that others use by then is left running. Not together with `dsn`. Default: false, which asks for one that runs.
   */
  startDatastore?: boolean;
  /** Directory of `pg_dump` and `psql`. Default: the install's own, then `PATH`, then the usual places. */
  pgBin?: string;
  /** Count the workspace first (concurrently), so that progress can be told as a share of the whole. Default: false. */
  survey?: boolean;
  /** Stops the backup: nothing is left behind, and the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives progress and warnings, synchronously; it must not throw. */
  onEvent?: (event: BackupEvent) => void;
}

/** What one rule kept out of the archive. */
export interface LeftOut {
  /** The rule as the user knows it: `.git`, `*.log (--exclude)`, `data/ (sub/.leoflowignore)`. */
  rule: string;
  /** Directories the rule matched; what lies below them is not counted. */
  directories: number;
  /** Files and links the rule matched by themselves. */
  files: number;
}

/** What `backup()` did. Sizes are in bytes. */
export interface BackupResult {
  /** Absolute path of the archive; null when it went to a stream. */
  path: string | null;
  /** Size of the archive. */
  size: number;
  manifest: Manifest;
  /** What of the workspace is in the archive. */
  workspace: {
    /** Absolute path. */
    path: string;
    /** Regular files. */
    files: number;
    /** Directories, the workspace itself among them. */
    directories: number;
    /** Symbolic links. */
    symlinks: number;
    /** Size of the files, before compression. */
    bytes: number;
  };
  /** What was dumped. */
  datastore: {
    /** Which datastore, for people, without any password. */
    source: string;
    /** Size of the dump. */
    bytes: number;
    /** What it was before: running, started for the backup, or named by `dsn`. */
    cluster: 'running' | 'started' | 'external';
  };
  /** What the rules left out, most first. */
  leftOut: LeftOut[];
  /** The first 1,000 warnings; `warningCount` counts all. */
  warnings: Warning[];
  /** How many warnings there were. */
  warningCount: number;
  /** Whether a file is missing from the archive or was changing while it was read (exit status 3). */
  incomplete: boolean;
  /** Milliseconds from start to end. */
  durationMs: number;
  /** Worker threads. */
  workers: number;
}

/** The parts of an install that can be restored by themselves. */
export const RESTORE_PARTS = ['config', 'workspace', 'datastore'] as const;
export type RestorePart = (typeof RESTORE_PARTS)[number];

/** What `restore()` is asked to do. */
export interface RestoreOptions {
  /** The archive: a path, or a stream of its bytes (copied to a private temporary file first). */
  input: string | Readable;
  /** The Leoflow home to restore to. Default: `~/.leoflow` of the invoking user (of `$SUDO_USER` under sudo). */
  home?: string;
  /** Replace an install that is in the way, and end sessions on its database. Never silences a refusal of the archive. Default: false. */
  force?: boolean;
  /** Where the workspace goes. Default: where it was, moved along with the home. */
  workspace?: string;
  /** The parts to restore. Default: all. `config` is config.yaml and setup.json. */
  only?: readonly RestorePart[];
  /** Remove what was replaced, once everything is in place. Default: it is kept under a name that says so. */
  discardPrevious?: boolean;
  /** Judge and check the whole archive, change nothing. Default: false. */
  dryRun?: boolean;
  /** The datastore as a libpq URI or keyword/value string. Default: the home's managed cluster (made if absent), then its Docker port. */
  dsn?: string;
  /** Directory of the PostgreSQL programs. Default: the install's own, then `PATH`, then the usual places. */
  pgBin?: string;
  /** Worker threads, at least 1. Default: the processors available to this process. */
  workers?: number;
  /** Stops the restore, up to the moment of the commit: nothing is changed, and the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives progress, synchronously; it must not throw. */
  onEvent?: (event: RestoreEvent) => void;
}

/** A value in config.yaml or setup.json that differs from the archive's, because the install moved. */
export interface ConfigChange {
  /** The file that was adapted. */
  file: 'config.yaml' | 'setup.json';
  /** Nested ones with dots. */
  key: string;
  /** The archive's value; empty where it has no such key. */
  from: string;
  /** The value here. */
  to: string;
}

/** What `restore()` did, or with `dryRun` would have done. Sizes are in bytes. */
export interface RestoreResult {
  /** Whether nothing was changed, and the other fields say what would have been done. */
  dryRun: boolean;
  manifest: Manifest;
  /** Absolute path of the Leoflow home. */
  home: string;
  /** What was restored. */
  parts: readonly RestorePart[];
  /**
   * How many paths the backup could not take, or not as they were: it ended with status 3. 0 where the archive says of none, null where it has no index to
   * say it.
   */
  incomplete: number | null;
  /** Names of the files of the config that were restored; an archive need not have a setup.json. */
  config: string[];
  /** Null where the part was not restored. */
  workspace: {
    /** Absolute path of where it went. */
    path: string;
    /** Regular files. */
    files: number;
    /** Directories, the workspace itself among them. */
    directories: number;
    /** Symbolic links. */
    links: number;
    /** Size of the files. */
    bytes: number;
  } | null;
  /** Null where the part was not restored. */
  datastore: {
    /** Which database, for people, without any password. */
    source: string;
    /** Size of the dump. */
    bytes: number;
    /** What the cluster was: running, or started, or made for the restore; or somebody else's server. */
    cluster: 'running' | 'started' | 'provisioned' | 'external';
    /** Whether the dump was replayed into the live database itself, because the role may not create databases. */
    inPlace: boolean;
  } | null;
  /** What was adapted to this machine. */
  changes: ConfigChange[];
  /** What was replaced and where it lies now: paths, and `database …`. Empty where nothing was, or it was discarded. */
  previous: {
    /** What was replaced: a path, or `database …`. */
    what: string;
    /** Where it lies now; with `dryRun` where it lies. */
    where: string;
  }[];
  /** What `discardPrevious` removed, with `dryRun` what it would remove: paths, and `database …`. */
  discarded: string[];
  /** Directories that are never archived, carried over from the previous workspace (`.git`, `.venv` …). */
  carriedOver: number;
  /** Milliseconds from start to end. */
  durationMs: number;
  /** Worker threads. */
  workers: number;
}

/** What `recover()` did with a restore that had broken off in its commit. */
export interface RecoverResult {
  /** `finished`: everything is as the restore meant it; `undone`: everything is as it was before. */
  outcome: 'finished' | 'undone';
  /** Absolute path of the Leoflow home. */
  home: string;
  /** Milliseconds from start to end. */
  durationMs: number;
}

/** What `recover()` is asked to do. */
export type RecoverOptions = Pick<RestoreOptions, 'home' | 'dsn' | 'pgBin' | 'signal' | 'onEvent'>;
