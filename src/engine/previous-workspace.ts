/**
 * The workspace that a restore replaces: whether it may be replaced unasked, and whether it may be removed.
 */
import type { Dirent } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { SnapshotError, systemErrorCode, systemErrorText } from './errors.js';
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

/**
 * Where file systems are mounted in a workspace, in what does not go from it into the new one: they go aside with it. (One that is itself a mount point
 * goes nowhere.)
 */
export async function mountsIn(workspace: string, carried: readonly Move[]): Promise<string[]> {
  const isCarried = (mount: string) => carried.some(({ to }) => below(mount, to) !== null);
  return (await mountPoints()).filter((mount) => Boolean(below(mount, workspace)) && !isCarried(mount));
}

/**
 * Why a workspace that was replaced is not removed although that was asked for: what is in it cannot be had back from anywhere. It is asked in the commit,
 * which no signal stops.
 *
 * @param options `mounts`: of {@link mountsIn}; `input`: the archive that is restored; `incomplete`: how many paths that one lacks; `carried`: what goes from the
 *   workspace into the new one
 * @returns a sentence; null where it may go
 */
export async function whyKept({
  workspace,
  mounts: [mount],
  input,
  incomplete,
  carried,
}: {
  workspace: string;
  mounts: readonly string[];
  input: string | Readable;
  incomplete: number | null;
  carried: readonly Move[];
}): Promise<string | null> {
  const because = (why: string) => `the previous workspace ${workspace} is not removed: ${why}`;
  const archive = await placeOf(input);
  if (archive !== null && below(archive, workspace) !== null) return because('the archive itself lies in it');
  if (incomplete) return because('the archive is incomplete, and what it lacks may be there');
  if (mount !== undefined) return because(`a file system is mounted at ${mount}`);
  const why = await onlyIn(
    Buffer.from(workspace),
    new Set(carried.map(({ to }) => Buffer.from(to).toString('latin1'))),
  );
  return why === null ? null : because(why);
}

/** Where an archive lies: also one that a shell, or a stream, has opened as a file. Null where it comes from elsewhere, or nobody knows. */
async function placeOf(input: string | Readable): Promise<string | null> {
  if (typeof input === 'string') return realPath(input);
  if ('path' in input && typeof input.path === 'string') return realPath(input.path).catch(() => null);
  if (!('fd' in input) || typeof input.fd !== 'number') return null;
  return realpath(`/proc/self/fd/${input.fd}`).catch(() => null);
}

/**
 * What a tree holds, however deep, that could not be had back: a history that is nowhere else, or what cannot be looked into. (Its owner may remove that,
 * too.) Names are bytes on the way: not all are UTF-8.
 *
 * @param leaving what goes elsewhere before the tree is removed: paths, their bytes as latin1
 * @returns a clause; null where there is nothing
 */
async function onlyIn(root: Buffer, leaving: ReadonlySet<string>): Promise<string | null> {
  const directories = [root];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    let entries: Dirent<Buffer>[];
    try {
      entries = await readdir(directory, { withFileTypes: true, encoding: 'buffer' });
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) continue;
      return `${directory.toString()} cannot be looked into: ${systemErrorText(error)}`;
    }
    for (const entry of entries) {
      const path = Buffer.concat([directory, SLASH, entry.name]);
      if (leaving.has(path.toString('latin1'))) continue;
      if (!HISTORIES.has(entry.name.toString())) {
        if (entry.isDirectory()) directories.push(path);
        continue;
      }
      const history = path.toString();
      const why = await onlyHere(dirname(history), basename(history));
      if (why !== null) return `${history} ${why}`;
    }
  }
  return null;
}
