/**
 * What a restore does to the tree at its end: links, and the modes and times of directories. There may be many, so they wait in a private file
 * without a name.
 */
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryName } from '../archive/index.js';
import type { StagedDirectory, StagedLink, StagingTree } from './staging-tree.js';

/** A directory that its owner could not pass once it has its mode: it waits for all below it. */
const PASSABLE = 0o500;

interface Batch {
  directories: StagedDirectory[];
  links: StagedLink[];
}

export class DeferredEntries {
  directories = 0;
  links = 0;
  hasHardLinks = false;
  readonly #fd: number;
  readonly #batches: { position: number; length: number }[] = [];
  #end = 0;

  /** @param directory private, with room for a line per link and directory */
  constructor(directory: string) {
    const path = join(directory, temporaryName('deferred'));
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    unlinkSync(path);
  }

  /** Size of the list. */
  get bytes(): number {
    return this.#end;
  }

  add({ directories, links }: Batch): void {
    if (directories.length === 0 && links.length === 0) return;
    this.directories += directories.length;
    this.links += links.length;
    this.hasHardLinks ||= links.some(({ kind }) => kind === 'hardlink');
    const bytes = Buffer.from(JSON.stringify({ directories, links } satisfies Batch));
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#end + done);
    }
    this.#batches.push({ position: this.#end, length: bytes.length });
    this.#end += bytes.length;
  }

  /** Creates the links, then finishes the directories. @throws ARCHIVE_UNSAFE, STAGING_FULL, STAGING_WRITE */
  apply(tree: StagingTree): void {
    for (const { links } of this.read()) {
      // A hard link may point to a file whose name it makes a second one; never to a link, which would be followed later.
      for (const link of links) if (link.kind === 'hardlink') tree.createLink(link);
    }
    for (const { links } of this.read()) {
      for (const link of links) if (link.kind === 'symlink') tree.createLink(link);
    }
    const impassable: StagedDirectory[] = [];
    for (const { directories } of this.read()) {
      for (const directory of directories) {
        if ((directory.mode & PASSABLE) === PASSABLE) tree.finishDirectory(directory);
        else impassable.push(directory);
      }
    }
    const depth = ({ path }: StagedDirectory) => (path === '' ? 0 : path.split('/').length);
    for (const directory of impassable.sort((a, b) => depth(b) - depth(a))) tree.finishDirectory(directory);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** What was added, in that order, again from the first at every call. */
  *read(): Generator<Batch> {
    for (const { position, length } of this.#batches) {
      const bytes = Buffer.allocUnsafe(length);
      for (let done = 0; done < length; ) done += readSync(this.#fd, bytes, done, length - done, position + done);
      yield JSON.parse(bytes.toString()) as Batch;
    }
  }
}
