/**
 * Whether a tree can be made of what an archive holds, found out without making it.
 *
 * In a staging tree, whatever stands twice meets itself. A check has no tree; it goes by the lists that a restore keeps anyway, of files in the ledger and of
 * the rest here. In path order what cannot be together stands next to each other, however long and deep the paths are.
 */
import { nextTurn } from '../next-turn.js';
import type { DeferredEntries } from './deferred.js';
import { SortedEntries } from './sorted-entries.js';
import { fileAndDirectory, noSuchFile, standsTwice } from './staging-tree.js';
import { isBelow } from './unpack.js';

/** What is in the archive. */
export interface CheckedPlaces {
  /** The paths of all regular files in the workspace. */
  files: AsyncIterable<string>;
  deferred: DeferredEntries;
  /** Private, with room for a line per path. */
  directory: string;
  signal: AbortSignal;
}

/** Something at a path, or a hard link that points to it; leaves have their number among the links, a file none. */
type Placed =
  | { path: string; kind: 'file' | 'symlink' | 'hardlink'; number: number }
  | { path: string; kind: 'directory' }
  | { path: string; kind: 'target'; of: string; number: number };

/** At one path: what is no directory, directories, hard links to it. */
const RANK: Record<Placed['kind'], number> = { file: 0, symlink: 0, hardlink: 0, directory: 1, target: 2 };

/** @throws ARCHIVE_UNSAFE where a restore would throw it, INTERRUPTED */
export async function checkPlaces({ files, deferred, directory, signal }: CheckedPlaces): Promise<void> {
  const sorted = new SortedEntries<Placed>(directory, ({ kind }) => RANK[kind]);
  try {
    for await (const path of files) sorted.add({ path, kind: 'file', number: -1 });
    let number = 0;
    for (const { directories, links } of deferred.read()) {
      for (const { path } of directories) sorted.add({ path, kind: 'directory' });
      for (const { path, kind, target } of links) {
        sorted.add({ path, kind, number });
        if (kind === 'hardlink') sorted.add({ path: target, kind: 'target', of: path, number });
        number += 1;
      }
      await nextTurn(signal);
    }
    await checkSorted(sorted.read(signal));
  } finally {
    sorted.close();
  }
}

async function checkSorted(places: AsyncIterable<Placed>): Promise<void> {
  /** The last one that is no directory. */
  let leaf: (Placed & { kind: 'file' | 'symlink' | 'hardlink' }) | null = null;
  for await (const place of places) {
    const { path } = place;
    const isThere = leaf?.path === path;
    if (place.kind === 'target') {
      // A hard link may point to a file, or to a link made before it.
      if (leaf === null || !isThere || leaf.kind === 'symlink' || leaf.number >= place.number)
        throw noSuchFile(place.of);
      continue;
    }
    if (isThere) throw standsTwice(path);
    if (isBelow(path, leaf?.path ?? null)) throw fileAndDirectory(path);
    if (place.kind !== 'directory') leaf = place;
  }
}
