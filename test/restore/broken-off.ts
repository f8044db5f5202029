/** A home as a restore leaves it that was killed in its commit, between two renames. */
import { lstatSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { temporaryName } from '../../src/engine/archive/index.js';
import { writeJournal } from '../../src/engine/journal.js';

/** Moves the workspace aside, and writes the journal of a restore that would have put another one in its place. */
export async function breakOff(home: string, workspace: string): Promise<void> {
  const inode = String(lstatSync(workspace, { bigint: true }).ino);
  const aside = `${workspace}.before-restore-2026-06-01T080000Z`;
  const staging = join(dirname(workspace), temporaryName(basename(workspace)));
  renameSync(workspace, aside);
  await writeJournal(home, {
    version: 1,
    started: '2026-06-01T08:00:00Z',
    state: 'committing',
    renames: [
      { from: workspace, to: aside, inode },
      { from: join(staging, 'workspace'), to: workspace, inode: '0' },
    ],
    carried: [],
    databases: null,
    transaction: null,
    datastore: null,
    temporary: [staging],
    discard: { paths: [], databases: [] },
  });
}
