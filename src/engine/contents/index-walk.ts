/**
 * Walking along an index and the members that it speaks of, at once: every member must be named in its place, and hold what is said to begin in it as far
 * as its size tells; names are judged as those of entries are. A lie that passes can only be one about the content of a member.
 */
import {
  type ArchivePath,
  comparePaths,
  damaged,
  ENTRY,
  type IndexLine,
  MAX_BESIDE_NAMES,
  MAX_LAST_LINES,
  type Member,
  padded,
  parseIndexLine,
  placeOf,
  quoted,
  RECORD_BYTES,
  workspaceEntry,
} from '../archive/index.js';
import type { ContentsEntry } from '../contents.js';
import { SnapshotError } from '../errors.js';
import type { LeftOut } from '../options.js';
import { isBelow } from '../workspace/index.js';

/** Rules that are kept. */
const LISTED_RULES = 1000;

/** Takes the lines of an index, one after the other. */
export class IndexWalk {
  readonly leftOut: LeftOut[] = [];
  /** Paths that the archive lacks, or has in a state that they never had, as its last line says. */
  incomplete = 0;
  /** Those that the index has to speak of. */
  readonly #members: readonly Member[];
  /** Index of the one that entries are said to begin in. */
  #at = -1;
  /** Bytes of its block, and of those that continue it, that no entry has claimed. */
  #room = 0;
  /** Entries in it so far. */
  #entries = 0;
  #lines = 0;
  #otherLines = 0;
  readonly #top = new Set<string>();
  #last: string | null = null;
  #lastIsLeaf = false;

  constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** @returns the entry, if the line is of one @throws ARCHIVE_DAMAGED */
  take(text: string): ContentsEntry | null {
    this.#lines += 1;
    const line = parseIndexLine(text);
    if (line === null) throw this.#wrong(`is none: ${quoted(text)}`);
    if (this.incomplete > 0) throw this.#wrong('stands behind the last one');
    if (line.type === 'entry' && this.#otherLines === 0) return this.#entry(line);
    if (line.type === 'member' && this.#otherLines === 0) {
      this.#nextMember(line.offset);
      return null;
    }
    if (line.type === 'entry' || line.type === 'member') throw this.#wrong('stands behind those that end it');
    this.#otherLines += 1;
    if (this.#otherLines > MAX_LAST_LINES) throw this.#wrong('is one too many');
    if (line.type === 'leftOut' && this.leftOut.length < LISTED_RULES) {
      const { rule, directories, files } = line;
      this.leftOut.push({ rule, directories, files });
    }
    if (line.type === 'incomplete') this.incomplete = line.paths;
    return null;
  }

  /** There are no more lines. @throws ARCHIVE_DAMAGED where it does not speak of all members */
  end(): void {
    this.#leaveMember();
    if (this.#nextBeginning() !== this.#members.length)
      throw damaged(`its ${ENTRY.index} does not speak of all that is in it`);
  }

  #nextMember(offset: number): void {
    this.#leaveMember();
    this.#at = this.#nextBeginning();
    const member = this.#members[this.#at];
    if (member?.offset !== offset) throw this.#wrong(`names a member at byte ${offset}, which is not the next one`);
    this.#entries = 0;
    this.#room = 0;
    for (let at = this.#at; at === this.#at || this.#members[at]?.kind === 'continuation'; at += 1)
      this.#room += this.#members[at]?.blockBytes ?? 0;
  }

  /** Index of the next member that entries begin in. */
  #nextBeginning(): number {
    let next = this.#at + 1;
    while (this.#members[next]?.kind === 'continuation') next += 1;
    return next;
  }

  #leaveMember(): void {
    if (this.#at >= 0 && this.#entries === 0) throw this.#wrong('follows a member that nothing is said of');
  }

  #entry(line: IndexLine & { type: 'entry' }): ContentsEntry {
    const member = this.#members[this.#at];
    if (member === undefined) throw this.#wrong('stands before that of a member');
    this.#entries += 1;
    const { kind, mode, mtime, size, link } = line;
    this.#room -= RECORD_BYTES + padded(size);
    if (this.#room < 0 || (member.kind === 'first' && (this.#entries > 1 || kind !== 'file')))
      throw this.#wrong(`says more than the member at byte ${member.offset} holds`);
    return { name: this.#name(line.name, kind), kind, mode, mtime, size, link, member: member.offset };
  }

  /** A name as it must stand there: where a restore would take it, in its order and once. */
  #name(name: string, kind: ContentsEntry['kind']): ArchivePath {
    const isDirectory = kind === 'directory';
    const place = this.#place(name, isDirectory);
    if (place.type === 'workspace') {
      if (name !== workspaceEntry(place.path, isDirectory)) throw this.#wrong(`has an odd name, ${quoted(name)}`);
      const last = this.#last;
      if (last !== null && (comparePaths(last, place.path) >= 0 || (this.#lastIsLeaf && isBelow(place.path, last))))
        throw this.#wrong(`has the name ${quoted(name)} out of order`);
      this.#last = place.path;
      this.#lastIsLeaf = !isDirectory;
      return name as ArchivePath;
    }
    const isOwn = place.type === 'known' && place.role === 'checksums';
    if (isOwn || name === ENTRY.index || this.#top.has(name) || this.#top.size === MAX_BESIDE_NAMES)
      throw this.#wrong(`has the name ${quoted(name)}, which cannot stand there`);
    const plain = place.type === 'known' ? ENTRY[place.role] : `${place.path}${isDirectory ? '/' : ''}`;
    if (name !== plain || (place.type === 'known' && kind !== 'file'))
      throw this.#wrong(`has an odd name, ${quoted(name)}`);
    this.#top.add(name);
    return name as ArchivePath;
  }

  #place(name: string, isDirectory: boolean): ReturnType<typeof placeOf> {
    try {
      return placeOf(name, isDirectory ? 'directory' : 'other');
    } catch (error) {
      if (error instanceof SnapshotError) throw this.#wrong(`has a name that no entry can have, ${quoted(name)}`);
      throw error;
    }
  }

  #wrong(what: string): SnapshotError {
    return damaged(`line ${this.#lines} of its ${ENTRY.index} ${what}`);
  }
}
