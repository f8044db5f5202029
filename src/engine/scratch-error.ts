/**
 * System errors of those who only read: no room for what they write down meanwhile, or a disk that does not give back what is on it.
 */
import { tmpdir } from 'node:os';
import { isNoRoom, SnapshotError, systemErrorText } from './errors.js';

/** What a system error means to whoever reads archives; anything else as it is. From a worker only its message comes, so that is gone by. */
export function asReadError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof SnapshotError) return error;
  const [, code] = /^(E[A-Z0-9]+): /.exec(error.message) ?? [];
  if (code === 'EIO') {
    return new SnapshotError('INPUT_UNREADABLE', `the archive cannot be read: ${systemErrorText(error)}`, {
      hint: 'the disk that it lies on is failing: copy off it what can be copied',
      cause: error,
    });
  }
  if (code === undefined || !(isNoRoom(code) || ['EACCES', 'EROFS', 'ENOENT', 'EMFILE'].includes(code))) return error;
  return new SnapshotError(
    isNoRoom(code) ? 'STAGING_FULL' : 'STAGING_WRITE',
    `temporary files cannot be written to ${tmpdir()}: ${systemErrorText(error)}`,
    { hint: 'free some space there, or name another directory in TMPDIR', cause: error },
  );
}
