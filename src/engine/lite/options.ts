/**
 * What the embedded Lite is asked to do, what it says meanwhile, and what it did.
 */

/** What `setup()` is asked to do. Every field is optional. */
export interface SetupOptions {
  /** The Leoflow home. Default: `~/.leoflow` of the invoking user (of `$SUDO_USER` under sudo). */
  home?: string;
  /** The workspace of a new install; a relative path is taken from the current directory. Default: `leoflow` beside the home. */
  workspace?: string;
  /** The administrator's e-mail address of a new install. Default: `admin@leoflow.local`. */
  adminEmail?: string;
  /** Directory of PostgreSQL's programs. Default: the install's own, then `PATH`, then the usual places. */
  pgBin?: string;
  /** Say what would be made, make nothing. Default: false. */
  dryRun?: boolean;
  /** Stops it, up to the moment when something is made: the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives notes, synchronously; it must not throw. */
  onEvent?: (event: SetupEvent) => void;
}

/** What `setup()` says while it works: something worth knowing that is not an error, one sentence. */
export type SetupEvent = { type: 'note'; message: string };

/** What `setup()` made, or with `dryRun` would have made. Paths are absolute. */
export interface SetupResult {
  /** Whether nothing was made, and the other fields say what would have been. */
  dryRun: boolean;
  /** Whether there was no install: no config.yaml. */
  isNew: boolean;
  /** Absolute path of the Leoflow home. */
  home: string;
  /** Absolute path of the workspace. */
  workspace: string;
  /** The administrator's e-mail address; null where an install that was there names none. */
  adminEmail: string | null;
  /** The administrator's password, where one was made, here and nowhere else, as only its hash is stored; else null. */
  adminPassword: string | null;
  /** The PostgreSQL that the install uses. */
  postgres: {
    /** Absolute path of the directory of its programs. */
    directory: string;
    /** `16.13`. */
    version: string;
  };
  /** What was made: absolute paths. */
  made: string[];
  /** What was there already, and is as it was: absolute paths. */
  kept: string[];
  /** Milliseconds from start to end. */
  durationMs: number;
}

/** What `runLite()` is asked to do. Every field is optional. */
export interface LiteOptions {
  /** The Leoflow home. Default: `~/.leoflow` of the invoking user (of `$SUDO_USER` under sudo). */
  home?: string;
  /** Directory of PostgreSQL's programs. Default: the install's own, then `PATH`, then the usual places. */
  pgBin?: string;
  /** Ends it: the datastore is stopped, and the promise resolves; while it is still coming up, the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives what happens, synchronously; it must not throw. */
  onEvent?: (event: LiteEvent) => void;
}

/** The phases of `runLite()`, in their order. */
export type LitePhase = 'start' | 'serve' | 'stop';

/** What `runLite()` says while it runs. */
export type LiteEvent =
  | { type: 'phase'; phase: LitePhase }
  /** The datastore is up. */
  | { type: 'serving'; serving: LiteServing };

/** A datastore that is up. */
export interface LiteServing {
  /** Absolute path of the Leoflow home. */
  home: string;
  /** Absolute path of the workspace. */
  workspace: string;
  /** Path of the socket that it listens on. */
  socket: string;
  /** The database, as a libpq URI. */
  url: string;
  /** The server's log file. */
  log: string;
  /** `15.18 (Debian 15.18-0+deb12u1)`. */
  serverVersion: string;
  /**
   * What the cluster was before: `stopped`, `absent` (made now), or `left` running by a `leoflow lite` that was killed, whose place this
   * one takes.
   */
  was: 'stopped' | 'absent' | 'left';
}

/** What `runLite()` ran, after it has been stopped. */
export interface LiteResult extends LiteServing {
  /** Milliseconds from start to end. */
  durationMs: number;
}

/** What `uninstall()` is asked to do. Every field is optional. */
export interface UninstallOptions {
  /** The Leoflow home. Default: `~/.leoflow` of the invoking user (of `$SUDO_USER` under sudo). */
  home?: string;
  /** Remove everything: settings, datastore and workspace, too. Default: only the tools that `setup()` brings back. */
  purge?: boolean;
  /** Directory of PostgreSQL's programs, which stop the datastore. Default: the install's own, then `PATH`, then the usual places. */
  pgBin?: string;
  /** Say what would be removed, remove nothing. Default: false. */
  dryRun?: boolean;
  /** Stops it, up to the moment of the removal: the promise rejects with `INTERRUPTED`. */
  signal?: AbortSignal;
  /** Receives what happens, synchronously; it must not throw. */
  onEvent?: (event: UninstallEvent) => void;
}

/** The phases of `uninstall()`, in their order. */
export type UninstallPhase = 'judge' | 'stop' | 'remove';

/** What `uninstall()` says while it works. */
export type UninstallEvent =
  | { type: 'phase'; phase: UninstallPhase }
  /** Something worth knowing that is not an error, one sentence. */
  | { type: 'note'; message: string };

/** Something that is removed. */
export interface Removal {
  /** `install` is the whole home. */
  what: 'install' | 'workspace' | 'tool';
  /** Absolute; a real path. */
  path: string;
  /** Everything in it that is no directory. */
  files: number;
  /** Size of that. */
  bytes: number;
}

/** What `uninstall()` did, or with `dryRun` would have done. */
export interface UninstallResult {
  /** Whether nothing was removed, and the other fields say what would have been. */
  dryRun: boolean;
  /** Absolute path of the Leoflow home. */
  home: string;
  /** Whether everything was to go. */
  purge: boolean;
  /** Whether the datastore was running, and was stopped. */
  stopped: boolean;
  /** What is gone. */
  removed: Removal[];
  /** What stays of the install: absolute paths. */
  kept: string[];
  /** Milliseconds from start to end. */
  durationMs: number;
}
