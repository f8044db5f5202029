import type { Writable } from 'node:stream';
import type { Manifest } from './archive/index.js';
import type { BackupEvent, Warning } from './events.js';

/** What `backup()` is asked to do. Every field is optional; the defaults back up the invoking user's install. */
export interface BackupOptions {
  /** The Leoflow home. Default: `~/.leoflow` of the invoking user (of `$SUDO_USER` under sudo). */
  home?: string;
  /** Where the archive goes: a path, or a stream that takes its bytes. Default: `leoflow-backup-<UTC>.tar.gz` in the current directory. */
  output?: string | Writable;
  /** Patterns in gitignore syntax, relative to the workspace. They come before `.leoflowignore` files; the built-in rules before both. */
  exclude?: readonly string[];
  /** Deflate level, 1 (fast) to 9 (small). Default: 6. */
  level?: number;
  /** Worker threads, at least 1. Default: the processors available to this process (affinity and cgroup quota respected). */
  workers?: number;
  /** The datastore as a libpq URI or keyword/value string. Default: the install's managed socket, then its Docker port. */
  dsn?: string;
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
  workspace: { path: string; files: number; directories: number; symlinks: number; bytes: number };
  /** `source` says which datastore was dumped, without any password. */
  datastore: { source: string; bytes: number };
  /** What the rules left out, most first. */
  leftOut: LeftOut[];
  /** The first 1,000 warnings; `warningCount` counts all. */
  warnings: Warning[];
  warningCount: number;
  /** Whether a file is missing from the archive or was changing while it was read (exit status 3). */
  incomplete: boolean;
  durationMs: number;
  workers: number;
}
