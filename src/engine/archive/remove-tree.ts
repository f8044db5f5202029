/**
 * Removing what may be read-only: the tree of a workspace has the modes that its owner gave it, and directories that may not be written keep what
 * is in them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';

/** Removes a file, or a directory with all in it, whatever their modes. What is not there is removed already. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    // Links in the tree are not followed.
    const chmod = spawn('chmod', ['-R', 'u+rwX', '--', path], { stdio: 'ignore' });
    await once(chmod, 'close').catch(() => {});
    await rm(path, { recursive: true, force: true });
  }
}
