/**
 * The workspace that a restore replaces: whether it may be replaced unasked, and whether it may be removed.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { SnapshotError } from './errors.js';
import { below, judgeWorkspace } from './install/index.js';
import type { Move } from './journal.js';
import { type Judgement, requireUnused } from './judgement.js';
import { onlyHere } from './lite/only-here.js';
import { mountPoints } from './lite/removable.js';
import type { RestoreOptions } from './options.js';
import { realPath } from './real-path.js';

const SLASH = Buffer.from('/');
const HISTORIES: ReadonlySet<string> = new Set(['.git', '.hg']);

/** Something may have come there while the restore was being staged: nobody was asked about that. @throws INSTALL_EXISTS, WORKSPACE_UNSAFE */
export async function requireStillFree(
  { workspace, isChosen }: Pick<Judgement, 'workspace' | 'isChosen'>,
  { force }: Pick<RestoreOptions, 'force'>,
): Promise<void> {
  // Whoever forces it has spoken of the install here, and not of a place that only the archive names.
  if (!isChosen) await requireUnused(workspace);
  if (force === true) return;
  const finding = await judgeWorkspace(workspace);
  if (finding === null) return;
  throw new SnapshotError('INSTALL_EXISTS', `something came into the way of the restore meanwhile: ${finding}`, {
    hint: 'look at it; to replace it, add --force. Nothing was changed',
  });
}

/** Where file systems are mounted in a workspace: they go where it goes. (One that is itself a mount point goes nowhere.) */
export async function mountsIn(workspace: string): Promise<string[]> {
  return (await mountPoints()).filter((mount) => Boolean(below(mount, workspace)));
}

/**
 * Why a workspace that was replaced is not removed although that was asked for: what is in it cannot be had back from anywhere. It is asked in the commit,
 * which no signal stops.
 *
 * @param options `mounts`: of {@link mountsIn}; `input`: the archive that is restored; `carried`: what goes from it into the new one
 * @returns a sentence; null where it may go
 */
export async function whyKept({
  workspace,
  mounts: [mount],
  input,
  carried,
}: {
  workspace: string;
  mounts: readonly string[];
  input: string | Readable;
  carried: readonly Move[];
}): Promise<string | null> {
  const because = (why: string) => `the previous workspace ${workspace} is not removed: ${why}`;
  if (typeof input === 'string' && below(await realPath(input), workspace) !== null)
    return because('the archive itself lies in it');
  if (mount !== undefined) return because(`a file system is mounted at ${mount}`);
  const carriedOver = new Set(carried.map(({ to }) => to));
  for await (const history of historiesIn(Buffer.from(workspace))) {
    if (carriedOver.has(history)) continue;
    const why = await onlyHere(dirname(history), basename(history));
    if (why !== null) return because(`${history} ${why}`);
  }
  return null;
}

/** What holds histories in a tree, however deep. Names are bytes on the way: not all are UTF-8. */
async function* historiesIn(root: Buffer): AsyncGenerator<string> {
  const directories = [root];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    // What may not be looked into cannot be emptied either.
    const entries = await readdir(directory, { withFileTypes: true, encoding: 'buffer' }).catch(() => []);
    for (const entry of entries) {
      const path = Buffer.concat([directory, SLASH, entry.name]);
      if (HISTORIES.has(entry.name.toString())) yield path.toString();
      else if (entry.isDirectory()) directories.push(path);
    }
  }
}
