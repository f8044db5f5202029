/**
 * What the engine tells while it works. It never prints: reporters (the CLI's, or a library user's) render these.
 */

/** The phases of a backup, in the order in which they begin; `pack` and `dump` overlap. */
export type BackupPhase = 'prepare' | 'pack' | 'dump' | 'checksums' | 'finish';

/**
 * What is the matter with a path:
 *
 * - `unreadable`: a file or directory could not be read and is left out
 * - `vanished`: a file was gone when its turn came
 * - `changed`: a file changed while it was read; the archive holds what was read
 * - `not-utf8`: a name that is not UTF-8, left out
 * - `special-file`: a socket, FIFO or device, skipped
 * - `ignore-file`: a `.leoflowignore` that is a link, for example, and counts as none
 * - `still-running`: the datastore that was started for the backup could not be stopped
 */
export type WarningCode =
  | 'unreadable'
  | 'vanished'
  | 'changed'
  | 'not-utf8'
  | 'special-file'
  | 'ignore-file'
  | 'still-running';

/** Something about one path that the user should know. `incomplete` ones make the backup incomplete (exit status 3). */
export interface Warning {
  code: WarningCode;
  /** The path as a person would recognise it: absolute, bytes that are not UTF-8 escaped as `\xNN`. */
  path: string;
  /** One sentence, without the path. */
  message: string;
  /** Whether the archive lacks this file or holds it in a state it never had on disk. */
  incomplete: boolean;
}

/** Cumulative counts; every field only grows. */
export interface BackupProgress {
  /** Regular files packed or given up on. */
  files: number;
  /** Bytes of workspace content packed, before compression. */
  bytes: number;
  /** Bytes of the dump received from pg_dump. */
  dumpBytes: number;
  /** Bytes of the archive written. */
  written: number;
}

/** What a backup says while it runs. */
export type BackupEvent =
  | { type: 'phase'; phase: BackupPhase }
  /** What there is to pack, counted ahead of the packing (only with `BackupOptions.survey`). */
  | { type: 'total'; files: number; bytes: number }
  | { type: 'progress'; progress: BackupProgress }
  | { type: 'warning'; warning: Warning }
  /** Something worth knowing that is not an error, one sentence: that the archive lies in the workspace, or what becomes of a datastore that was started. */
  | { type: 'note'; message: string };

/**
 * The phases of a restore: the archive and the install are judged; the archive is staged (files beside the workspace, the dump in a new
 * database); the staged parts take the place of the old ones; what was needed only meanwhile is removed.
 */
export type RestorePhase = 'judge' | 'stage' | 'commit' | 'finish';

/** Cumulative counts; every field only grows. */
export interface RestoreProgress {
  /** Regular files restored, or only checked. */
  files: number;
  /** Their bytes. */
  bytes: number;
  /** Bytes of the dump replayed. */
  dumpBytes: number;
  /** Bytes of the archive read. */
  read: number;
  /** Bytes of the archive. */
  size: number;
}

/** What a restore says while it runs. */
export type RestoreEvent =
  | { type: 'phase'; phase: RestorePhase }
  | { type: 'progress'; progress: RestoreProgress }
  /** Something worth knowing that is not an error, one sentence. */
  | { type: 'note'; message: string };
