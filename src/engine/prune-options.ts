/** What `prune()` is asked to do. */
export interface PruneOptions {
  /** The directory with the archives. What lies below its subdirectories is not looked at. */
  directory: string;
  /** What to keep. At least one of them must keep something. */
  keep: KeepRules;
  /** Says what would be removed, and removes nothing. Default: false. */
  dryRun?: boolean;
  /** Stops it; the promise rejects with `INTERRUPTED`. What has been removed by then stays so. */
  signal?: AbortSignal;
  /** Receives progress and decisions, synchronously; it must not throw. */
  onEvent?: (event: PruneEvent) => void;
}

/**
 * Which archives to keep: each that at least one rule keeps. The names, and what they mean, are those of restic's `forget`.
 *
 * A count is a whole number; 0 is as good as no rule, `Infinity` keeps one of every period. Periods are those of UTC, and only those count in which there is
 * an archive. Of each the newest is kept; where a rule has some of its count left in the end, it keeps the oldest archive of all, too.
 */
export interface KeepRules {
  /** The newest so many. */
  last?: number;
  /** The newest of each of the last so many hours. */
  hourly?: number;
  daily?: number;
  /** Of each week by ISO 8601: from Monday to Sunday. */
  weekly?: number;
  monthly?: number;
  yearly?: number;
  /** All that are younger than this, as seen from the newest one. */
  within?: Span;
}

/** A span of the calendar. Each is a whole number, not negative. */
export interface Span {
  years?: number;
  months?: number;
  days?: number;
  hours?: number;
}

/** The phases, in their order. */
export type PrunePhase = 'look' | 'remove';

/** How far the reading is of archives that have to be read as a whole. Cumulative counts; every field only grows. */
export interface PruneProgress {
  files: number;
  bytes: number;
  dumpBytes: number;
  /** Bytes of archives read, and how many there are. */
  read: number;
  size: number;
}

/** What `prune()` says while it runs. */
export type PruneEvent =
  | { type: 'phase'; phase: PrunePhase }
  | { type: 'progress'; progress: PruneProgress }
  /** An archive is done with; from the oldest to the newest. */
  | { type: 'decision'; decision: PruneDecision };

/** A rule that keeps one archive per period. */
export type PeriodRule = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly';

/** Why an archive is kept. */
export type KeepReason =
  /** It is the newest but `number` - 1. */
  | { rule: 'last'; number: number }
  /** It is the newest of the period (`2026-05-28T14`, `2026-05-28`, `2026-W22`, `2026-05`, `2026`), the `number`th that the rule keeps. */
  | { rule: PeriodRule; number: number; period: string /** It is the oldest of all instead. */; oldest: boolean }
  /** It is younger than that: `1y5m7d2h`. */
  | { rule: 'within'; span: string };

/** What becomes of an archive. */
export interface PruneDecision {
  /** Its name in the directory. */
  name: string;
  /** UTC, as its manifest has it. */
  createdAt: string;
  /** Bytes. */
  size: number;
  /**
   * - `kept`
   * - `removed`; with `dryRun` it would be
   * - `gone`: somebody else has removed it meanwhile
   * - `changed`: it is not the file any more that was judged, and stays
   * - `failed`: it cannot be removed; `message` says why
   */
  outcome: 'kept' | 'removed' | 'gone' | 'changed' | 'failed';
  /** Why it is kept; empty where no rule keeps it. */
  reasons: KeepReason[];
  /** One sentence; null but for `failed`. */
  message: string | null;
}

/** Something in the directory that no rule counts, and that is never removed. */
export interface Untouched {
  name: string;
  /**
   * - `not-an-archive`: some other file
   * - `not-a-file`: a directory, a symbolic link, something special
   * - `temporary`: a backup is writing it, or was killed
   * - `manifest`: its manifest cannot be understood
   * - `version`: its `manifest_version` is none that this program knows
   * - `time`: its manifest has no usable time, or one that is still to come
   * - `damaged`: an archive that is not whole
   * - `changed`: somebody is writing to it
   */
  why: 'not-an-archive' | 'not-a-file' | 'temporary' | 'manifest' | 'version' | 'time' | 'damaged' | 'changed';
  /** One sentence. */
  message: string;
}

/** What `prune()` did; with `dryRun` what it would have done. */
export interface PruneResult {
  /** Absolute path. */
  directory: string;
  dryRun: boolean;
  /** Every good archive, from the newest to the oldest. */
  archives: PruneDecision[];
  /** Everything else that lies there, by name. */
  untouched: Untouched[];
  /** What is still there of the good ones. Sizes are in bytes. */
  kept: { archives: number; bytes: number };
  removed: { archives: number; bytes: number };
  /** Archives that could not be removed. */
  failed: number;
  durationMs: number;
}
