/**
 * What went wrong, in the words of an extraction: the stages that it shares with a restore speak of workspaces and of recoveries.
 */
import { isNoRoom, SnapshotError, systemErrorCode, systemErrorText } from '../errors.js';

/** A system call that fails is no defect of this program; and advice that is for a restore is replaced. @param to the target */
export function asExtractError(error: unknown, to: string): unknown {
  if (error instanceof SnapshotError) {
    const { code, message, cause } = error;
    switch (code) {
      case 'STAGING_FULL':
        return new SnapshotError(code, message, { hint: fullHint(to), cause });
      case 'STAGING_WRITE':
        return error.hint?.includes('--workspace') === true
          ? new SnapshotError(code, message, { hint: writeHint(to), cause })
          : error;
      case 'RECOVERY_FAILED':
        return error.hint?.includes('--recover') === true
          ? new SnapshotError(code, message, { hint: RECOVER_HINT, cause })
          : error;
      default:
        return error;
    }
  }
  const code = systemErrorCode(error);
  if (code === undefined || !(error instanceof Error && 'syscall' in error)) return error;
  const isFull = isNoRoom(code);
  const words = `${'path' in error ? `${error.path}: ` : ''}${systemErrorText(error)}`;
  return new SnapshotError(
    isFull ? 'STAGING_FULL' : 'STAGING_WRITE',
    isFull ? `no room to extract: ${words}` : `nothing could be extracted: ${words}`,
    { hint: isFull ? fullHint(to) : writeHint(to), cause: error },
  );
}

const RECOVER_HINT =
  'see to what stands in the way, then extract to the same directory again: it goes on where this one stopped';

function fullHint(to: string): string {
  return `free some space where ${to} is, or extract to another file system; nothing was changed`;
}

function writeHint(to: string): string {
  return `check the disk and the permissions of ${to} and of the directory around it, or extract to another one; nothing was changed`;
}
