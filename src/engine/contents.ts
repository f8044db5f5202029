/**
 * Contents: what is in an archive, without inflating it where it has an index.
 *
 *     of ours:    headers of members ─▶ INDEX.jsonl, at the end ─▶ entries, checked against the members      a thousandth of the archive is read
 *     any other:  one stream ─▶ entries                                                                      all of it is read
 *
 * An index is a claim. What is made of it here can be listed and looked for; whoever takes content out of a member goes by the headers that he finds there.
 */
import {
  type ArchivePath,
  BesideNames,
  damaged,
  ENTRY,
  type EntryKind,
  hardLinkTarget,
  inflateMember,
  type Member,
  placeOfEntry,
  quoted,
  readMember,
  readStream,
  type TarHeader,
  unsafe,
  workspaceEntry,
} from './archive/index.js';
import { findTail, type IndexTail, indexText, lastLineSays } from './contents/index-tail.js';
import { IndexWalk } from './contents/index-walk.js';
import { interrupted, throwIfAborted } from './errors.js';
import { nextTurn } from './next-turn.js';
import type { OpenedArchive } from './opened-archive.js';
import type { LeftOut } from './options.js';

/** An entry of an archive. */
export interface ContentsEntry {
  /** As it stands there, without a leading `./`; a directory's ends in `/`. It leads nowhere but below the archive's root. */
  name: ArchivePath;
  kind: EntryKind;
  /** Permission bits. */
  mode: number;
  /** Whole seconds since 1970. */
  mtime: number;
  /** Bytes of content; 0 unless a file. */
  size: number;
  /** Target of a symlink. Of a file: the entry that its content stands with, where it is a hard link (never in archives of ours). */
  link: string | null;
  /** Byte offset of the member that it begins in; null where that is not known. */
  member: number | null;
}

/** What is in an archive. */
export interface Contents {
  /** Where it is known from: its index, or reading all of it. */
  readonly source: 'index' | 'archive';
  /** Bytes of the file that were read so far, those of opening it included. */
  readonly bytesRead: number;
  /** What the rules left out of the workspace, most first, the first 1,000 of them; null where the archive does not say. Complete when the entries are. */
  readonly leftOut: readonly LeftOut[] | null;
  /** How many paths are missing from it, or in it in a state that they never had; null where it has no index to say it. Known when the entries are. */
  readonly incomplete: number | null;
  /**
   * The entries in the order of the archive, a batch at a time. Once. Only when all have come is it known that the index is whole.
   *
   * @throws ARCHIVE_DAMAGED, ARCHIVE_TRUNCATED, ARCHIVE_UNSAFE, INTERRUPTED
   */
  entries(): AsyncGenerator<ContentsEntry[]>;
}

/**
 * Looks for what is in an archive. Reads no more than the headers of the last entries yet.
 *
 * @throws ARCHIVE_DAMAGED, ARCHIVE_TRUNCATED
 */
export function openContents(archive: OpenedArchive, signal: AbortSignal): Contents {
  const { members, manifest } = archive;
  if (members === null || manifest.index !== ENTRY.index) return new StreamedContents(archive, signal);
  return new IndexedContents(archive, findTail(archive.handle.fd, members), signal);
}

/**
 * Whether an archive lacks something, as the end of its index says, and nothing else of it is read.
 *
 * @returns how many paths are missing from it, or in it in a state that they never had; null where it has no index to say it
 * @throws ARCHIVE_DAMAGED, ARCHIVE_TRUNCATED
 */
export function incompleteOf({ fd, members, manifest }: IndexedFile): number | null {
  if (members === null || manifest.index !== ENTRY.index) return null;
  return lastLineSays(findTail(fd, members), (member) => inflateMember(readMember(fd, member), member));
}

/** A file that may have an index. */
export interface IndexedFile extends Pick<OpenedArchive, 'members' | 'manifest'> {
  fd: number;
}

/** What to tell people of an archive that has to be read to its end; null where it has an index. */
export function longReadNote({ source }: Contents): string | null {
  return source === 'index' ? null : 'the archive has no index: all of it has to be read';
}

class IndexedContents implements Contents {
  readonly source = 'index';
  readonly #archive: OpenedArchive;
  readonly #tail: IndexTail;
  readonly #signal: AbortSignal;
  readonly #walk: IndexWalk;
  #read: number;

  constructor(archive: OpenedArchive, tail: IndexTail, signal: AbortSignal) {
    this.#archive = archive;
    this.#tail = tail;
    this.#signal = signal;
    this.#walk = new IndexWalk(tail.before);
    this.#read = archive.bytesRead + tail.bytesRead;
  }

  get bytesRead(): number {
    return this.#read;
  }

  get leftOut(): readonly LeftOut[] {
    return this.#walk.leftOut;
  }

  get incomplete(): number {
    return this.#walk.incomplete;
  }

  async *entries(): AsyncGenerator<ContentsEntry[]> {
    for (const lines of indexText(this.#tail, (member) => this.#block(member))) {
      throwIfAborted(this.#signal);
      const batch: ContentsEntry[] = [];
      for (const line of lines) {
        const entry = this.#walk.take(line);
        if (entry !== null) batch.push(entry);
      }
      yield batch;
      await nextTurn(this.#signal);
    }
    this.#walk.end();
    yield [this.#tail.index, this.#tail.checksums].map(({ header, member }) => ({
      ...{ name: header.name as ArchivePath, kind: 'file', link: null, member: member.offset },
      ...{ mode: header.mode, mtime: header.mtime, size: header.size },
    }));
  }

  #block(member: Member): Buffer {
    this.#read += member.size;
    return inflateMember(readMember(this.#archive.handle.fd, member), member);
  }
}

/** Entries of a stream that are handed on together. */
const BATCH = 1000;

class StreamedContents implements Contents {
  readonly source = 'archive';
  readonly leftOut = null;
  readonly incomplete = null;
  bytesRead: number;
  readonly #archive: OpenedArchive;
  readonly #signal: AbortSignal;

  constructor(archive: OpenedArchive, signal: AbortSignal) {
    this.#archive = archive;
    this.#signal = signal;
    this.bytesRead = archive.bytesRead;
  }

  async *entries(): AsyncGenerator<ContentsEntry[]> {
    const { handle, size } = this.#archive;
    const before = this.bytesRead;
    const onRead = (bytes: number) => {
      this.bytesRead = before + bytes;
    };
    const beside = new BesideNames();
    let batch: ContentsEntry[] = [];
    try {
      for await (const event of readStream(handle.fd, size, this.#signal, onRead)) {
        if (event.type !== 'entry') continue;
        const entry = entryOf(event.header);
        if (entry === null) continue;
        if (!entry.name.startsWith(ENTRY.workspace)) beside.add(entry.name.replace(/\/$/, ''));
        batch.push(entry);
        if (batch.length < BATCH) continue;
        yield batch;
        batch = [];
      }
    } catch (error) {
      throw this.#signal.aborted ? interrupted() : error;
    }
    yield batch;
  }
}

/** An entry by its header, judged as a restore would; null for the archive itself, `./`. @throws ARCHIVE_UNSAFE */
function entryOf(header: TarHeader): ContentsEntry | null {
  const { kind, mode, mtime, size, linkname } = header;
  if (kind === 'special') throw unsafe(`${quoted(header.name)} is a device or a FIFO`);
  const name = entryName(header);
  if (name === null) return null;
  const entry = { name, mode, mtime, size, link: null, member: null };
  if (kind === 'hardlink') {
    return { ...entry, kind: 'file', link: workspaceEntry(hardLinkTarget(linkname, header.name), false) };
  }
  if (kind === 'symlink' && linkname === '') throw damaged(`the link ${quoted(header.name)} has no target`);
  return { ...entry, kind, link: kind === 'symlink' ? linkname : null };
}

function entryName(header: TarHeader): ArchivePath | null {
  const place = placeOfEntry(header);
  const directory = header.kind === 'directory';
  if (place.type === 'workspace') return workspaceEntry(place.path, directory);
  if (place.type === 'known') return ENTRY[place.role];
  return place.path === null || !directory ? place.path : (`${place.path}/` as ArchivePath);
}
