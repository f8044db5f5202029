/**
 * Errors on their way out of a worker. What is thrown there arrives as a copy, and of an Error only its message is copied: the code and the hint, by which
 * people and scripts go, would be lost. So ours travel as plain objects.
 */
import { type ErrorCode, SnapshotError } from '../errors.js';

interface CarriedError {
  carried: { code: ErrorCode; message: string; hint: string | undefined };
}

/** A task whose errors survive the way out of the worker. */
export function carrying<Task, Result>(work: (task: Task) => Result): (task: Task) => Result {
  return (task) => {
    try {
      return work(task);
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      const { code, message, hint } = error;
      throw { carried: { code, message, hint } } satisfies CarriedError;
    }
  };
}

/** Waits for such a task. @throws what it threw */
export async function arriving<Result>(result: Promise<Result>): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    if (!isCarried(error)) throw error;
    const { code, message, hint } = error.carried;
    throw new SnapshotError(code, message, hint === undefined ? {} : { hint });
  }
}

function isCarried(error: unknown): error is CarriedError {
  return typeof error === 'object' && error !== null && 'carried' in error;
}
