/**
 * One entry of an archive of ours: found among the members by its name, with its content and the checksum that is listed for it.
 */
import {
  damaged,
  ENTRY,
  inflateMember,
  type Member,
  parseChecksumLine,
  placeOf,
  readMember,
  type TarHeader,
  TarReader,
} from '../archive/index.js';
import { throwIfAborted } from '../errors.js';
import { checksumLines, type FileRun, type Run } from '../member-runs.js';
import { nextTurn } from '../next-turn.js';
import type { OpenedArchive } from '../opened-archive.js';
import { arriving, inflateSegment } from '../workspace/index.js';
import { MemberSearch } from './member-search.js';

/** An entry, its content still to be read. */
export interface FoundEntry {
  header: TarHeader;
  /** Where it is in memory already: all of its content. */
  whole: Buffer | null;
  /** Content, a piece at a time. Once. */
  content(): AsyncIterable<Uint8Array>;
}

/** Looks for entries in an archive of ours. */
export class EntryFinder {
  readonly #fd: number;
  readonly #signal: AbortSignal;
  readonly #search: MemberSearch;
  #read = 0;

  constructor({ handle, members }: OpenedArchive & { members: readonly Member[] }, signal: AbortSignal) {
    this.#fd = handle.fd;
    this.#signal = signal;
    this.#search = new MemberSearch(handle.fd, members);
  }

  /** Bytes of the archive that were read. */
  get bytesRead(): number {
    return this.#read + this.#search.bytesRead;
  }

  /** @param name as in the archive, without a slash at its end @returns null where there is no such entry */
  find(name: string): FoundEntry | null {
    for (const run of this.#candidates(name)) {
      const found = run.type === 'block' ? this.#inBlock(run.member, name) : this.#alone(run, name);
      if (found !== null) return found;
    }
    return null;
  }

  /** The checksum that SHA256SUMS lists for an entry; null where it lists none. @throws ARCHIVE_DAMAGED */
  async listedSum(name: string): Promise<string | null> {
    for (const run of this.#search.outside()) {
      if (run.type !== 'file' || run.role !== 'checksums') continue;
      let segment = 0;
      for (const lines of checksumLines(this.#fd, run)) {
        throwIfAborted(this.#signal);
        this.#read += run.segments[segment]?.member.size ?? 0;
        segment += 1;
        for (const line of lines) {
          // Most are another's, and to compare an end is less than to read a line.
          if (!line.endsWith(name) && !line.startsWith('\\')) continue;
          const { sha256, name: listed } = parseChecksumLine(line);
          if (listed === name) return sha256;
        }
        await nextTurn(this.#signal);
      }
    }
    return null;
  }

  *#candidates(name: string): Generator<Run> {
    if (name.startsWith(ENTRY.workspace)) yield this.#search.holding(name.slice(ENTRY.workspace.length));
    else if (`${name}/` === ENTRY.workspace) yield this.#search.holding('');
    else yield* this.#search.outside();
  }

  #alone(run: FileRun, name: string): FoundEntry | null {
    if (plainName(run.header) !== name) return null;
    return { header: run.header, whole: null, content: () => this.#segments(run) };
  }

  async *#segments({ segments }: FileRun): AsyncGenerator<Uint8Array> {
    for (const { member, skip, length } of segments) {
      throwIfAborted(this.#signal);
      this.#read += member.size;
      const task = { fd: this.#fd, member, skip, length, target: null, seals: false };
      yield (await arriving(Promise.resolve().then(() => inflateSegment(task)))).content;
      await nextTurn(this.#signal);
    }
  }

  #inBlock(member: Member, name: string): FoundEntry | null {
    this.#read += member.size;
    const reader = new TarReader();
    let header: TarHeader | null = null;
    let pieces: Buffer[] = [];
    let found: FoundEntry | null = null;
    for (const event of reader.push(inflateMember(readMember(this.#fd, member), member))) {
      if (event.type === 'entry') {
        header = plainName(event.header) === name ? event.header : null;
        pieces = [];
      } else if (header !== null && event.type === 'content') pieces.push(event.bytes);
      else if (header !== null) found ??= inMemory(header, Buffer.concat(pieces));
    }
    if (!reader.betweenEntries) throw damaged(`the member at byte ${member.offset} ends in the middle of an entry`);
    return found;
  }
}

function inMemory(header: TarHeader, whole: Buffer): FoundEntry {
  return {
    header,
    whole,
    async *content() {
      yield whole;
    },
  };
}

/** The name of an entry, judged, without what it can be written with: `./` in front of it, a slash behind. @throws ARCHIVE_UNSAFE */
export function plainName({ name, kind }: Pick<TarHeader, 'name' | 'kind'>): string | null {
  const place = placeOf(name, kind === 'directory' ? 'directory' : 'other');
  if (place.type === 'known') return ENTRY[place.role];
  if (place.type === 'other') return place.path;
  return place.path === '' ? ENTRY.workspace.slice(0, -1) : `${ENTRY.workspace}${place.path}`;
}
