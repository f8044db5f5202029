/**
 * Whether a tree can be made of what an archive holds, found out without making it.
 *
 * In a staging tree, whatever stands twice meets itself. A check has no tree; it goes by the lists that a restore keeps anyway, of files in the ledger and of
 * the rest here, and as they are too long for the memory, it looks at a part of the names at a time.
 */
import { ownText, partOf } from '../archive/index.js';
import type { DeferredEntries } from './deferred.js';
import { fileAndDirectory, noSuchFile, standsTwice } from './staging-tree.js';

/** Bytes of lists that are compared in memory at once. */
const PART_BYTES = 16 << 20;

/** What is in the archive. */
export interface CheckedPlaces {
  /** The paths of all regular files in the workspace, again from the first at every call. */
  files(): AsyncIterable<string>;
  /** Size of that list. */
  fileBytes: number;
  deferred: DeferredEntries;
}

/** @throws ARCHIVE_UNSAFE where a restore would throw it */
export async function checkPlaces({ files, fileBytes, deferred }: CheckedPlaces): Promise<void> {
  const parts = Math.ceil((fileBytes + deferred.bytes) / PART_BYTES);
  for (let part = 0; part < parts; part += 1) {
    /** Everything but directories, with its number among the links: a hard link may point to a file, or to a link made before it. */
    const places = new Map<string, { kind: 'file' | 'hardlink' | 'symlink'; number: number }>();
    const isHere = (path: string) => parts === 1 || partOf(path, parts) === part;
    const put = (path: string, kind: 'file' | 'hardlink' | 'symlink', number: number) => {
      if (!isHere(path)) return;
      if (places.has(path)) throw standsTwice(path);
      places.set(ownText(path), { kind, number });
    };
    for await (const path of files()) put(path, 'file', -1);
    let number = 0;
    for (const { links } of deferred.read()) {
      for (const { path, kind } of links) put(path, kind, number++);
    }

    let before = '';
    const checkAbove = (path: string) => {
      const directory = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
      if (directory === before) return;
      before = directory;
      for (let above = directory; above !== ''; above = above.slice(0, Math.max(above.lastIndexOf('/'), 0))) {
        if (places.has(above)) throw fileAndDirectory(path);
      }
    };
    for await (const path of files()) checkAbove(path);
    number = 0;
    for (const { directories, links } of deferred.read()) {
      for (const { path } of directories) {
        if (places.has(path)) throw standsTwice(path);
        checkAbove(path);
      }
      for (const { path, kind, target } of links) {
        checkAbove(path);
        if (kind === 'hardlink' && isHere(target)) {
          const there = places.get(target);
          if (there === undefined || there.kind === 'symlink' || there.number >= number) throw noSuchFile(path);
        }
        number += 1;
      }
    }
  }
}
