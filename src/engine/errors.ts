/**
 * The one error class of the engine.
 *
 * A user's mistake or bad luck is always a {@link SnapshotError}: it says what happened to what, and what to do about it. Anything
 * else that is thrown is a defect of this program.
 */

import { getSystemErrorMap } from 'node:util';

/**
 * What an error means for the caller; the CLI derives its exit status from it.
 *
 * - `usage`: an option or a value is wrong (exit 2)
 * - `failed`: something went wrong on the way, nothing was changed (exit 1)
 * - `refused`: it could be done, but not safely (exit 4)
 * - `interrupted`: the caller's `AbortSignal` fired (exit 128 + signal)
 */
export type FailureKind = 'usage' | 'failed' | 'refused' | 'interrupted';

/** Every code the engine throws, with its kind. Codes are stable: scripts match on them (`--json`: `error.code`). */
const KINDS = {
  USAGE: 'usage',
  INTERRUPTED: 'interrupted',

  // the worker threads
  WORKERS_START: 'failed',
  WORKERS_MEMORY: 'failed',

  // the Leoflow home
  HOME_NOT_FOUND: 'failed',
  CONFIG_NOT_FOUND: 'failed',
  CONFIG_UNREADABLE: 'failed',
  CONFIG_INVALID: 'failed',
  SETUP_UNREADABLE: 'failed',
  WORKSPACE_NOT_FOUND: 'failed',
  WORKSPACE_UNREADABLE: 'failed',
  WORKSPACE_IS_HOME: 'failed',
  WORKSPACE_UNSAFE: 'refused',
  INSTALL_CHANGED: 'failed',

  // the datastore
  DSN_INVALID: 'usage',
  TOOL_NOT_FOUND: 'failed',
  TOOL_TOO_OLD: 'failed',
  DATASTORE_UNREACHABLE: 'failed',
  DATASTORE_AUTH: 'failed',
  DATASTORE_QUERY: 'failed',
  DUMP_FAILED: 'failed',
  DUMP_INVALID: 'failed',
  SERVER_TOO_OLD: 'refused',
  REPLAY_FAILED: 'failed',
  REPLAY_UNSAFE: 'refused',
  DATASTORE_BUSY: 'refused',
  SWAP_FAILED: 'failed',
  CLUSTER_ROOT: 'failed',
  CLUSTER_START: 'failed',
  CLUSTER_STOP: 'failed',
  CLUSTER_PROVISION: 'failed',

  // the archive being written
  OUTPUT_DIRECTORY: 'failed',
  OUTPUT_IS_DIRECTORY: 'failed',
  OUTPUT_BUSY: 'failed',
  OUTPUT_FULL: 'failed',
  OUTPUT_WRITE: 'failed',

  // the archive being read
  INPUT_NOT_FOUND: 'failed',
  INPUT_UNREADABLE: 'failed',
  NOT_AN_ARCHIVE: 'failed',
  ARCHIVE_DAMAGED: 'failed',
  ARCHIVE_TRUNCATED: 'failed',
  ARCHIVE_UNSAFE: 'refused',
  CHECKSUM_MISMATCH: 'failed',
  MANIFEST_MISSING: 'refused',
  MANIFEST_INVALID: 'refused',
  MANIFEST_VERSION: 'refused',
  SCHEMA_TOO_NEW: 'refused',

  // the restore
  INSTALL_EXISTS: 'refused',
  INSTALL_BUSY: 'failed',
  STAGING_FULL: 'failed',
  STAGING_WRITE: 'failed',
  COMMIT_FAILED: 'failed',
  RECOVERY_NEEDED: 'refused',
  RECOVERY_FAILED: 'failed',
  NOTHING_TO_RECOVER: 'failed',

  // what is taken out of an archive by name
  ENTRY_NOT_FOUND: 'failed',
  ENTRY_NO_FILE: 'failed',
  TARGET_EXISTS: 'refused',
  // prune
  PRUNE_DIRECTORY: 'failed',
  PRUNE_UNREADABLE: 'failed',
  PRUNE_STOPPED: 'failed',

  // setup, lite, uninstall
  SETUP_CONFLICT: 'refused',
  SETUP_FAILED: 'failed',
  LITE_RUNNING: 'failed',
  LITE_ENDED: 'failed',
  UNINSTALL_UNSAFE: 'refused',
  UNINSTALL_FAILED: 'failed',
} as const satisfies Record<string, FailureKind>;

/** A stable identifier of what went wrong. */
export type ErrorCode = keyof typeof KINDS;

/** An error a person can act on. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
  /** Stable identifier, see {@link ErrorCode}. */
  readonly code: ErrorCode;
  /** What the user can do, one sentence; absent where nothing sensible can be said. */
  readonly hint: string | undefined;

  /**
   * @param code stable identifier
   * @param message what happened to what, one sentence without a full stop at the end
   * @param more the advice, and the error underneath
   */
  constructor(code: ErrorCode, message: string, more: { hint?: string; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint;
  }

  /** What the error means for the caller. */
  get kind(): FailureKind {
    return KINDS[this.code];
  }
}

/** The `code` of a Node.js system error (`ENOENT` …), or `undefined` for anything else. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether the code of a system error says that there is no room: on the disk, within a quota, or for so large a file. */
export function isNoRoom(code: string | undefined): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}

/** Says a system error in a person's words: `no such file or directory` for `ENOENT: no such file …, open '…'`, `broken pipe` for `write EPIPE`. */
export function systemErrorText(error: unknown): string {
  const errno = error instanceof Error && 'errno' in error ? error.errno : undefined;
  const words = typeof errno === 'number' ? getSystemErrorMap().get(errno)?.[1] : undefined;
  if (words !== undefined) return words;
  const message = error instanceof Error ? error.message : String(error);
  return /^E[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? message;
}

/** The value of an option, if it is a whole number from `least` to `most`. @throws USAGE */
export function wholeNumber(option: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new SnapshotError('USAGE', `${option} must be a whole number from ${least} to ${most}, not ${value}`);
}

/** Throws `INTERRUPTED` if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interrupted();
}

/** The error of an operation whose `AbortSignal` fired. */
export function interrupted(): SnapshotError {
  return new SnapshotError('INTERRUPTED', 'interrupted');
}
