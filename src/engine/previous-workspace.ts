/**
 * The workspace that a restore replaces: whether it may be replaced unasked, and whether it may be removed.
 */
import type { Readable } from 'node:stream';
import { SnapshotError } from './errors.js';
import { below, judgeWorkspace } from './install/index.js';
import type { Move } from './journal.js';
import { judgeRemovable, mountPoints } from './lite/removable.js';
import { realPath } from './real-path.js';

/** Something may have come there while the restore was being staged: nobody was asked about that. @throws INSTALL_EXISTS */
export async function requireStillFree(workspace: string): Promise<void> {
  const finding = await judgeWorkspace(workspace);
  if (finding === null) return;
  throw new SnapshotError('INSTALL_EXISTS', `something came into the way of the restore meanwhile: ${finding}`, {
    hint: 'look at it; to replace it, add --force. Nothing was changed',
  });
}

/** Where file systems are mounted in a workspace: they go where it goes. */
export async function mountsIn(workspace: string): Promise<string[]> {
  return (await mountPoints()).filter((mount) => below(mount, workspace) !== null);
}

/**
 * Why a workspace that was replaced is not removed although that was asked for: what is in it cannot be had back from anywhere.
 *
 * @param options `input`: the archive that is restored; `carried`: what goes from it into the new one
 * @returns a sentence; null where it may go
 */
export async function whyKept({
  workspace,
  input,
  carried,
  signal,
}: {
  workspace: string;
  input: string | Readable;
  carried: readonly Move[];
  signal: AbortSignal;
}): Promise<string | null> {
  const what = 'previous workspace';
  if (typeof input === 'string' && below(await realPath(input), workspace) !== null)
    return `the ${what} ${workspace} is not removed: the archive itself lies in it`;
  const except = new Set(carried.map(({ to }) => to));
  try {
    await judgeRemovable({ path: workspace, what, uid: null, histories: true, except, signal });
    return null;
  } catch (error) {
    if (error instanceof SnapshotError && error.code === 'UNINSTALL_UNSAFE') return error.message;
    throw error;
  }
}
