/**
 * How a command ends: the exit statuses, and what an error means in terms of them.
 */
import { constants } from 'node:os';
import type { FailureKind, SnapshotError } from '../index.js';

/** The exit statuses that are not a signal's. */
export const EXIT = {
  /** All of it worked. */
  done: 0,
  /** It failed, and nothing was changed. */
  failed: 1,
  /** The command line was wrong. */
  usage: 2,
  /** The archive is written, but a file is missing from it or changed while it was read. */
  incomplete: 3,
  /** It could be done, but not safely. */
  refused: 4,
} as const;

const STATUS_WORDS: readonly (readonly [status: number, words: string])[] = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'failed; nothing was changed'],
  [EXIT.usage, 'wrong usage'],
  [EXIT.incomplete, 'the archive is written, but a file is missing from it or changed while being read'],
  [EXIT.refused, 'refused, because it would not be safe'],
  [129, 'interrupted by SIGHUP; 130 by SIGINT, 143 by SIGTERM'],
];

/**
 * The table of exit statuses, for `--help`.
 *
 * @param never statuses that the command does not end with
 * @param one what status 1 means, where that is more than a failure
 */
export function exitStatusHelp(never: readonly number[] = [], one?: string): string {
  const rows = STATUS_WORDS.filter(([status]) => !never.includes(status));
  const lines = rows.map(([status, words]) => {
    return `  ${String(status).padEnd(4)} ${(status === EXIT.failed ? one : undefined) ?? words}`;
  });
  return ['\nExit status:', ...lines].join('\n');
}

/** A command line that cannot be obeyed. Kept apart from the engine's errors so that `--help` need not load the engine. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string | null;

  /**
   * @param message what is wrong with which option, without a full stop at the end
   * @param hint what to do
   */
  constructor(message: string, hint: string | null = null) {
    super(message);
    this.hint = hint;
  }
}

/** An error as the user is told of it. */
export interface Failure {
  /** The engine's code; `INTERNAL` for a defect of this program. */
  code: string;
  message: string;
  hint: string | null;
  status: number;
  /** Where it happened; only for a defect of this program. */
  stack?: string;
}

/**
 * What the user is told of an error.
 *
 * @param signal the signal that came in before, if one did. The engine says what failed because of it: not what fails in a commit
 */
export function describeFailure(error: unknown, signal?: NodeJS.Signals): Failure {
  if (signal !== undefined && isSnapshotError(error) && error.kind === 'interrupted') {
    return { code: 'INTERRUPTED', message: `interrupted by ${signal}`, hint: null, status: signalStatus(signal) };
  }
  if (error instanceof UsageError) {
    return { code: 'USAGE', message: error.message, hint: error.hint, status: EXIT.usage };
  }
  if (isSnapshotError(error)) {
    return { code: error.code, message: error.message, hint: error.hint ?? null, status: kindStatus(error.kind) };
  }
  return {
    code: 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    hint: 'this is a bug in leoflow-snapshot; please report it with the lines below',
    status: EXIT.failed,
    stack: (error instanceof Error && error.stack) || 'no stack',
  };
}

/** The exit status of a process ended by a signal: 128 + its number. */
export function signalStatus(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

function kindStatus(kind: FailureKind): number {
  switch (kind) {
    case 'usage':
      return EXIT.usage;
    case 'refused':
      return EXIT.refused;
    case 'interrupted':
      return signalStatus('SIGINT');
    case 'failed':
      return EXIT.failed;
  }
}

/** By name, not by class: an error must be told even where the library was never loaded. */
function isSnapshotError(error: unknown): error is SnapshotError {
  return error instanceof Error && error.name === 'SnapshotError';
}
