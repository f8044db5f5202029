/**
 * What `verify()` is asked to do, what it says meanwhile, and its verdicts.
 */
import type { Readable } from 'node:stream';
import type { Manifest } from './archive/index.js';
import type { ErrorCode } from './errors.js';

/** What `verify()` is asked to do. */
export interface VerifyOptions {
  /** The archives: paths, or streams of their bytes (each copied to a private temporary file first). */
  archives: readonly (string | Readable)[];
  /** Also replay each dump into a throwaway database: of the home's server where it runs, of `dsn`, or of a cluster made for it. Default: false. */
  deep?: boolean;
  /** With `deep`: the Leoflow home whose server is asked, if it runs. Default: `~/.leoflow` of the invoking user. */
  home?: string;
  /** With `deep`: the server, as a libpq URI or keyword/value string. Its role must be allowed to create databases and roles. */
  dsn?: string;
  /** With `deep`: directory of the PostgreSQL programs. Default: the install's own, then `PATH`, then the usual places. */
  pgBin?: string;
  /** Worker threads, at least 1. Default: the processors available to this process. */
  workers?: number;
  /** Stops it; the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives progress and verdicts, synchronously; it must not throw. */
  onEvent?: (event: VerifyEvent) => void;
}

/** The phases: all of an archive is read and checked; where that fails, it is looked for what exactly is damaged. */
export type VerifyPhase = 'check' | 'examine';

/** Cumulative counts over all archives; every field only grows. */
export interface VerifyProgress {
  /** Regular files checked. */
  files: number;
  /** Their bytes. */
  bytes: number;
  /** Bytes of dumps checked. */
  dumpBytes: number;
  /** Bytes of archives read. */
  read: number;
  /** Bytes of all archives. */
  size: number;
}

/** What `verify()` says while it runs. */
export type VerifyEvent =
  | { type: 'phase'; phase: VerifyPhase }
  | { type: 'progress'; progress: VerifyProgress }
  /** Something worth knowing that is not an error, one sentence. */
  | { type: 'note'; message: string }
  /** An archive is done. */
  | { type: 'verdict'; verdict: Verdict };

/** Something that is wrong with an archive. Codes are stable: NOT_AN_ARCHIVE, ARCHIVE_DAMAGED, ARCHIVE_TRUNCATED, CHECKSUM_MISMATCH … */
export interface Problem {
  code: ErrorCode;
  /** One sentence. */
  message: string;
}

/** An entry that is not as it was backed up. */
export interface DamagedEntry {
  /** As it stands in the archive: `workspace/dags/hello.py`. */
  name: string;
  /** `may be damaged`: there are no checksums to tell. */
  what: 'differs' | 'cannot be read' | 'may be damaged' | 'is missing' | 'is not listed' | 'is listed twice';
}

/** What came of one archive. Sizes are in bytes. */
export interface Verdict {
  /** As it was named; null for a stream. */
  archive: string | null;
  /**
   * - `good`: everything in it is as it was backed up, as far as it says (see `checksums`)
   * - `damaged`: something in it is not, or it is not whole
   * - `not-an-archive`: it is something else, or is not there
   * - `refused`: it is whole, but of a newer format, or holds what no restore would take
   */
  verdict: 'good' | 'damaged' | 'not-an-archive' | 'refused';
  /** Of the file. */
  size: number;
  /** Null where it could not be read. */
  manifest: Manifest | null;
  /**
   * Of a good one: how many paths the backup could not take, or not as they were, so that it ended with status 3. 0 where the archive says of none, null
   * where it has no index to say it.
   */
  incomplete: number | null;
  /** Gzip members that were checked each by itself; null where it had to be read as one stream. */
  members: number | null;
  /** Whether it has checksums to compare its content with. The Leoflow binary's archives have none: of them CRCs and structure are checked. */
  checksums: boolean;
  /** Regular files in the workspace, as far as it was read. */
  files: number;
  /** Directories in it. */
  directories: number;
  /** Symbolic links in it. */
  links: number;
  /** Size of its files. */
  bytes: number;
  /** Size of the dump. */
  dumpBytes: number;
  /** What its dump made, with `deep`; null without, or where it could not be replayed. */
  replayed: {
    /** Version of the server: `15.18 (Debian 15.18-0+deb12u1)`. */
    server: string;
    /** Tables that were made. */
    tables: number;
    /** Rows of all tables. */
    rows: number;
  } | null;
  /** The first 100 things that are wrong; `problemCount` counts all. */
  problems: Problem[];
  /** How many things are wrong. */
  problemCount: number;
  /** The first 100 entries that are damaged; `entryCount` counts all, or stops at 10,000 that are not as listed. */
  entries: DamagedEntry[];
  /** How many entries are damaged; from 10,000 on, at least so many. */
  entryCount: number;
  /** Milliseconds from start to end. */
  durationMs: number;
}

/** What `verify()` found. */
export interface VerifyResult {
  /** Whether all archives are. */
  good: boolean;
  /** One per archive, in the order in which they were named. */
  verdicts: Verdict[];
  /** Milliseconds from start to end. */
  durationMs: number;
  /** Worker threads. */
  workers: number;
}
