/**
 * What `prune()` is asked to do, what it says meanwhile, and what it did.
 */
import type { RestoreProgress } from './events.js';

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
 *
 * An archive that is not complete, as the backup could not take every path (status 3), never makes a complete one go: complete ones are kept as if there were
 * no others. One that is not is kept where the rules would keep it among all of them, but by no rule in a period in which there is a complete one; and always
 * as the newest of all.
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

/** What `prune()` says while it runs. */
export type PruneEvent =
  | { type: 'phase'; phase: PrunePhase }
  /** Of the archives that have to be read as a whole: `read` and `size`. */
  | { type: 'progress'; progress: RestoreProgress }
  /** An archive is done with; from the oldest to the newest. */
  | { type: 'decision'; decision: PruneDecision };

/** A rule that keeps one archive per period. */
export type PeriodRule = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly';

/** Why an archive is kept. */
export type KeepReason =
  | {
      rule: 'last';
      /** It is the newest but `number` - 1; of a complete one, among those that are complete. */
      number: number;
    }
  | {
      rule: PeriodRule;
      /** Which one it is of those that the rule keeps, from 1 on. Complete ones are counted by themselves. */
      number: number;
      /** It is the newest of this: `2026-05-28T14`, `2026-05-28`, `2026-W22`, `2026-05`, `2026`. */
      period: string;
      /** Whether it is the oldest of all instead. */
      oldest: boolean;
    }
  | {
      rule: 'within';
      /** It is younger than that: `1y5m7d2h`. */
      span: string;
    }
  | {
      /** It is the newest of all, but not complete: no other rule keeps it. */
      rule: 'newest';
    };

/** What becomes of an archive. */
export interface PruneDecision {
  /** Its name in the directory. */
  name: string;
  /** UTC, as its manifest has it. */
  createdAt: string;
  /** Bytes. */
  size: number;
  /**
   * How many paths the backup could not take, or not as they were: it ended with status 3. 0 where the archive says of none, null where it has no index to
   * say it; both count as complete.
   */
  incomplete: number | null;
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
  /** Its name in the directory. */
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

/** An install that archives come from; null where the manifest does not say. */
export interface ArchiveSource {
  /** Name of the machine. */
  hostname: string | null;
  /** The Leoflow home there. */
  home: string | null;
}

/** What `prune()` did; with `dryRun` what it would have done. Sizes are in bytes. */
export interface PruneResult {
  /** Absolute path of the directory. */
  directory: string;
  /** Whether nothing was removed, and the other fields say what would have been. */
  dryRun: boolean;
  /** Every good archive, from the newest to the oldest. */
  archives: PruneDecision[];
  /** Everything else that lies there, by name. */
  untouched: Untouched[];
  /** What is still there of the good ones. */
  kept: {
    /** How many. */
    archives: number;
    /** Their size. */
    bytes: number;
  };
  /** What was removed. */
  removed: {
    /** How many. */
    archives: number;
    /** Their size. */
    bytes: number;
  };
  /**
   * The installs that the good ones come from, as far as their manifests say: where there are several, the rules have counted their archives together, and
   * those of one make those of another go.
   */
  sources: ArchiveSource[];
  /** Archives that could not be removed. */
  failed: number;
  /** Milliseconds from start to end. */
  durationMs: number;
}
