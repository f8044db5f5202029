/**
 * Programs of every Unix that do for a whole tree, at once, what Node.js can only do file by file.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { syncDirectory } from './archive/index.js';
import { SnapshotError } from './errors.js';

/** Makes everything on the file system of a directory durable: one call instead of one per file. */
export async function syncFileSystem(directory: string): Promise<void> {
  try {
    await runTool('sync', ['-f', directory]);
  } catch {
    // Not GNU's: sync everything.
    await runTool('sync', []);
  }
  await syncDirectory(directory);
}

/** Runs a program to its end. @throws STAGING_WRITE */
export async function runTool(tool: string, args: readonly string[]): Promise<void> {
  const child = spawn(tool, args, { stdio: 'ignore' });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new SnapshotError('STAGING_WRITE', `${tool} ${args.join(' ')} failed with status ${status}`);
}
