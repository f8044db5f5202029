/**
 * Programs of every Unix that do for a whole tree, at once, what Node.js can only do file by file.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { syncDirectory } from './archive/index.js';
import { SnapshotError } from './errors.js';

/** Makes everything on the file system of a directory durable: one call instead of one per file. */
export async function syncFileSystem(directory: string): Promise<void> {
  // Where there is no such option, it is taken for none, and everything is synced.
  await runTool('sync', ['-f', directory]);
  await syncDirectory(directory);
}

/** Runs a program to its end. @throws STAGING_WRITE */
export async function runTool(tool: string, args: readonly string[]): Promise<void> {
  const child = spawn(tool, args, { stdio: 'ignore' });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status === 0) return;
  throw new SnapshotError('STAGING_WRITE', `\`${tool} ${args.join(' ')}\` failed with status ${status}`, {
    hint: 'run it by hand to see why: the disk may be failing; nothing was changed',
  });
}
