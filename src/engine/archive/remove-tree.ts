/**
 * Removing trees as large as a workspace, whose modes are those that its owner gave it: directories that may not be written keep what is in them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';

/**
 * Removes a file, or a directory with all in it, whatever their modes. What is not there is removed already.
 *
 * That is left to `rm`, whose memory does not grow with the tree: the one of Node.js takes 2 kB for each file of it.
 *
 * @throws the system error of what is in the way
 */
export async function removeTree(path: string): Promise<void> {
  const succeeds = async (command: string, ...options: string[]) => {
    // Neither follows links in the tree.
    const child = spawn(command, [...options, '--', path], { stdio: 'ignore' });
    const [status] = await once(child, 'close').catch(() => []);
    return status === 0;
  };
  if (await succeeds('rm', '-rf')) return;
  await succeeds('chmod', '-R', 'u+rwX');
  if (await succeeds('rm', '-rf')) return;
  // It says what is in the way; and where there is no such command, it does the work.
  await rm(path, { recursive: true, force: true });
}
