/** A home as a restore leaves it that was killed in its commit, between two renames. */
import { lstatSync, renameSync } from 'node:fs';
import { writeJournal } from '../../src/engine/journal.js';

/** Moves the workspace aside, and writes the journal of a restore that would have put another one in its place. */
export async function breakOff(home: string, workspace: string): Promise<void> {
  const inode = String(lstatSync(workspace, { bigint: true }).ino);
  const aside = `${workspace}.aside`;
  renameSync(workspace, aside);
  await writeJournal(home, {
    version: 1,
    started: '2026-06-01T08:00:00Z',
    state: 'committing',
    renames: [
      { from: workspace, to: aside, inode },
      { from: `${workspace}.staged`, to: workspace, inode: '0' },
    ],
    carried: [],
    databases: null,
    transaction: null,
    datastore: null,
    temporary: [],
    discard: { paths: [], databases: [] },
  });
}
