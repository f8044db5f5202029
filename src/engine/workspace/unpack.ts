/**
 * Unpacking, in a worker: a block of whole entries goes from its member to the staging tree without passing the coordinator.
 */
import { createHash, type Hash } from 'node:crypto';
import { dirname } from 'node:path';
import {
  type ArchivePath,
  checkSeal,
  checksumLine,
  comparePaths,
  damaged,
  ENTRY,
  entryLine,
  hardLinkTarget,
  inflateMember,
  type Member,
  type Place,
  placeOf,
  placeOfEntry,
  quoted,
  type Role,
  readMember,
  release,
  type TarHeader,
  TarReader,
  unsafe,
  workspaceEntry,
} from '../archive/index.js';
import { SnapshotError } from '../errors.js';
import { carrying } from './carried-error.js';
import { type Selection, Wanted } from './selection.js';
import { type StagedDirectory, type StagedLink, StagingTree } from './staging-tree.js';

/** A block of whole entries. */
export interface UnpackTask {
  /** The archive; open for as long as the task runs. */
  fd: number;
  member: Member;
  /** The staging tree; null to check only. */
  root: string | null;
  /** Whether the member has to be to the last bit as it was written. */
  seals: boolean;
  /** What of it is wanted; null for all. */
  selection: Selection | null;
  /** Whether to say what INDEX.jsonl should say of it. */
  describe: boolean;
}

export interface UnpackResult extends Unpacked {
  /** First and last path of the workspace in the block, for the order across blocks. */
  first: string | null;
  last: string | null;
  /** Whether the last one is no directory, so that nothing can lie below it. */
  lastIsLeaf: boolean;
  /** Whether something lies below an entry that is no directory. */
  collides: boolean;
  /** Known files at the top that lie in the block; with a selection only the checksums. */
  known: { role: Role; content: Uint8Array }[];
  /** Names of what stands beside the workspace, without slashes at their ends. */
  beside: string[];
  /** Lines of INDEX.jsonl, of all its entries; none where nobody asked for them. */
  index: string;
  /** Whether all its entries are such as our archives have in their blocks. */
  isOurs: boolean;
  /** Whether the block holds the end-of-archive marker. */
  ended: boolean;
  /** Patterns of the selection that have met something. */
  met: string[];
}

/** What came out of some entries of the workspace. */
export interface Unpacked {
  /** Lines as in SHA256SUMS, of every regular entry. */
  checksums: string;
  directories: StagedDirectory[];
  links: StagedLink[];
  files: number;
  /** Bytes of content. */
  bytes: number;
}

/** A block in the middle of a large file, or of the dump. */
export interface InflateTask {
  fd: number;
  member: Member;
  /** Bytes of header records in front of the content, and of content behind them; the rest is padding. */
  skip: number;
  length: number;
  /** The open file it belongs into, and where; null for the coordinator alone. */
  target: { fd: number; position: number; path: string } | null;
  /** As in {@link UnpackTask}. */
  seals: boolean;
}

export interface InflateResult {
  /** For the checksum over the whole. Given away: its buffer belongs to the receiver. */
  content: Uint8Array<ArrayBuffer>;
}

/** Known files at the top are held in memory, but for the dump and the checksums. */
export const MAX_KNOWN_BYTES = 16 << 20;

/** A known file begins: of a size that the memory takes, unless it only passes through. @throws ARCHIVE_DAMAGED */
export function checkKnownSize(role: Role, bytes: number): void {
  if (bytes > MAX_KNOWN_BYTES && role !== 'datastore' && role !== 'checksums')
    throw damaged(`its ${ENTRY[role]} has ${bytes} bytes`);
}

/** Unpacks a block of whole entries into the staging tree. */
export const unpackBlock = carrying(({ fd, member, root, seals, selection, describe }: UnpackTask): UnpackResult => {
  const block = blockOf(fd, member, seals);
  const reader = new TarReader();
  const sink = new WorkspaceSink(root, selection);
  const known: UnpackResult['known'] = [];
  const beside: string[] = [];
  let first: string | null = null;
  let last: string | null = null;
  let lastIsLeaf = false;
  let collides = false;
  let index = '';
  let isOurs = true;
  let take: ((bytes: Buffer) => void) | null = null;
  let done: (() => void) | null = null;
  try {
    for (const event of reader.push(block)) {
      if (event.type === 'content') take?.(event.bytes);
      else if (event.type === 'done') done?.();
      else {
        const { header } = event;
        const place = placeOfEntry(header);
        take = done = null;
        if (describe) index += indexLine(place, header);
        isOurs &&= place.type === 'workspace' || (place.type === 'known' && header.kind === 'file');
        if (place.type === 'workspace') {
          if (last !== null) checkOrder(last, place.path);
          collides ||= lastIsLeaf && isBelow(place.path, last);
          first ??= place.path;
          last = place.path;
          lastIsLeaf = header.kind !== 'directory';
          sink.begin(place.path, header);
          take = (bytes) => sink.content(bytes);
          done = () => sink.done();
        } else if (header.kind === 'special') {
          throw unsafe(`${quoted(header.name)} is a device or a FIFO`);
        } else {
          const { name, role } = besideOf(place);
          if (name === null) continue;
          beside.push(name);
          if (header.kind !== 'file') continue;
          const pieces: Buffer[] | null = role !== null && isHeld(role, selection) ? [] : null;
          sink.beginBeside(name, header);
          take = (bytes) => {
            pieces?.push(bytes);
            sink.content(bytes);
          };
          done = () => {
            if (pieces !== null && role !== null) known.push({ role, content: Buffer.concat(pieces) });
            sink.done();
          };
        }
      }
    }
    if (!reader.betweenEntries) throw damaged(`the member at byte ${member.offset} ends in the middle of an entry`);
  } finally {
    sink.close();
    release(block);
  }
  return {
    ...sink.take(),
    first,
    last,
    lastIsLeaf,
    collides,
    known,
    beside,
    index,
    isOurs,
    ended: reader.ended,
    met: sink.met,
  };
});

/** Inflates a block of a large file, and puts its content into its place. */
export const inflateSegment = carrying(({ fd, member, skip, length, target, seals }: InflateTask): InflateResult => {
  const block = blockOf(fd, member, seals);
  const content = block.subarray(skip, skip + length);
  if (content.length !== length) throw damaged(`the member at byte ${member.offset} is shorter than its file`);
  if (block.subarray(skip + length).some((byte) => byte !== 0)) throw damaged('the padding of an entry is not empty');
  if (target !== null) new StagingTree('').write(target.path, target.fd, content, target.position);
  // A small buffer may lie in one that Node.js shares among many, which must not be given away.
  return { content: length < SHARED_BYTES ? new Uint8Array(content) : (content as Uint8Array<ArrayBuffer>) };
});

/** Whether a path lies below another one. In path order it then comes right behind it, or behind others that do. */
export function isBelow(path: string, above: string | null): boolean {
  return above !== null && path.startsWith(`${above}/`);
}

function blockOf(fd: number, member: Member, seals: boolean): Buffer {
  const bytes = readMember(fd, member, scratch);
  const block = inflateMember(bytes, member);
  // Only then: what comes of a member says better what is wrong with it.
  if (seals) checkSeal(bytes, member);
  return block;
}

/** Refuses two entries of an indexed archive that are not in path order: one of them could be there twice. */
export function checkOrder(before: string, path: string): void {
  if (comparePaths(before, path) < 0) return;
  throw unsafe(`${quoted(path)} stands behind ${quoted(before)}, out of order or twice`);
}

/** Well above `Buffer.poolSize`. */
const SHARED_BYTES = 64 << 10;

/** Memory of this thread for compressed bytes, used again by every task. */
const scratch = Buffer.allocUnsafeSlow(2 << 20);

/** What a file beside the workspace is called, and which of the known ones it is. */
export function besideOf(place: Place): { name: ArchivePath | null; role: Role | null } {
  if (place.type === 'known') return { name: ENTRY[place.role], role: place.role };
  return { name: place.type === 'other' ? place.path : null, role: null };
}

/** What INDEX.jsonl should say of an entry; nothing of the archive itself, `./`. */
function indexLine(place: Place, { kind, mode, mtime, size, linkname }: TarHeader): string {
  const name = nameAt(place, kind === 'directory');
  if (name === null) return '';
  // It has no letter for hard links: they are files whose content stands elsewhere.
  const said = kind === 'directory' || kind === 'symlink' ? kind : 'file';
  return entryLine({ name, kind: said, mode, mtime, size, linkname });
}

function nameAt(place: Place, isDirectory: boolean): ArchivePath | null {
  if (place.type === 'workspace') return workspaceEntry(place.path, isDirectory);
  const { name } = besideOf(place);
  return name === null || !isDirectory ? name : (`${name}/` as ArchivePath);
}

/** Whether a known file is handed over as a whole: with a selection it is staged like any other, but what the checksums say has to be known. */
export function isHeld(role: Role, selection: Selection | null): boolean {
  return selection === null || role === 'checksums';
}

/** What stands beside the workspace holds secrets, whatever its mode says. */
const PRIVATE_MODE = 0o600;

/** A file whose content is coming. */
interface SinkFile {
  /** Null where it has no line in SHA256SUMS. */
  name: ArchivePath | null;
  /** Null where nobody wants it but for its checksum. */
  target: { path: string; header: TarHeader; tree: StagingTree | null; fd: number | null } | null;
  position: number;
  hash: Hash;
}

/** What an entry takes beside its names, about. */
const ENTRY_SIZE = 100;

function nothing(): Unpacked {
  return { checksums: '', directories: [], links: [], files: 0, bytes: 0 };
}

/** Puts entries of the workspace into the staging tree, one after the other, their content in pieces. */
export class WorkspaceSink {
  /** About as many characters wait to be taken. */
  waiting = 0;
  #unpacked = nothing();
  readonly #tree: StagingTree | null;
  /** Where files beside the workspace go; null to check them only. */
  readonly #beside: StagingTree | null;
  readonly #wanted: Wanted | null;
  #file: SinkFile | null = null;

  /**
   * @param root the staging tree; null to check only
   * @param selection what is wanted, and where files beside the workspace go; null for all of the workspace, and nothing else
   */
  constructor(root: string | null, selection: Selection | null = null) {
    this.#tree = root === null ? null : new StagingTree(root);
    this.#beside = selection === null || selection.beside === null ? null : new StagingTree(selection.beside);
    this.#wanted = selection === null ? null : new Wanted(selection.patterns);
  }

  /** Patterns of the selection that have met something. */
  get met(): string[] {
    return this.#wanted?.met ?? [];
  }

  /** Hands over what has come out since the last time. */
  take(): Unpacked {
    const taken = this.#unpacked;
    this.#unpacked = nothing();
    this.waiting = 0;
    return taken;
  }

  /** @throws ARCHIVE_UNSAFE, STAGING_FULL, STAGING_WRITE */
  begin(path: string, header: TarHeader): void {
    const { kind, mode, mtime } = header;
    if (kind === 'special') throw unsafe(`${quoted(header.name)} is a device or a FIFO`);
    if (this.#wanted?.takes(workspaceEntry(path, kind === 'directory')) === false) return;
    if (kind === 'directory') {
      this.#tree?.createDirectory(path);
      this.#unpacked.directories.push({ path, mode, mtime });
      this.waiting += ENTRY_SIZE + path.length;
    } else if (kind === 'file') {
      this.#open(workspaceEntry(path, false), { path, header, tree: this.#tree });
    } else {
      // Now, while there is no link that the path could lead through.
      this.#tree?.createDirectory(dirname(path));
      const target = kind === 'hardlink' ? this.#contentOf(header) : linkTarget(header);
      this.#unpacked.links.push({ path, kind, target, mtime });
      this.waiting += ENTRY_SIZE + path.length + target.length;
    }
  }

  /** A file that is none of the workspace; without a selection it is only taken for its checksum, and a known file not even for that. */
  beginBeside(name: ArchivePath, header: TarHeader): void {
    if (this.#wanted === null) {
      if (placeOf(name, 'other').type === 'other') this.#open(name, null);
    } else if (this.#wanted.takes(name)) {
      this.#open(name, { path: name, header: { ...header, mode: PRIVATE_MODE }, tree: this.#beside });
    }
  }

  content(bytes: Buffer): void {
    const file = this.#file;
    if (file === null) return;
    const { target } = file;
    if (target !== null && target.fd !== null) target.tree?.write(target.path, target.fd, bytes, file.position);
    file.position += bytes.length;
    file.hash.update(bytes);
  }

  done(): void {
    const file = this.#file;
    if (file === null) return;
    this.#file = null;
    if (file.name !== null) {
      const line = checksumLine(file.hash.digest('hex'), file.name);
      this.#unpacked.checksums += line;
      this.waiting += line.length;
    }
    if (file.target === null) return;
    const { path, header, tree, fd } = file.target;
    if (fd !== null) tree?.finishFile(path, fd, header.mode, header.mtime);
    this.#unpacked.files += 1;
    this.#unpacked.bytes += file.position;
  }

  /** Gives up on a file that is not complete. */
  close(): void {
    const target = this.#file?.target;
    this.#file = null;
    if (target?.fd != null) target.tree?.finishFile(target.path, target.fd, 0o600, 0);
  }

  /** Where the content of a hard link stands. @throws ARCHIVE_UNSAFE, ENTRY_NO_FILE where that is not wanted */
  #contentOf({ name, linkname }: TarHeader): string {
    const target = hardLinkTarget(linkname, name);
    const entry = workspaceEntry(target, false);
    if (this.#wanted?.takes(entry) !== false) return target;
    throw new SnapshotError('ENTRY_NO_FILE', `${quoted(name)} is a hard link: its content stands in ${quoted(entry)}`, {
      hint: 'extract that one, too; nothing was changed',
    });
  }

  #open(name: ArchivePath, target: { path: string; header: TarHeader; tree: StagingTree | null } | null): void {
    this.#file = {
      // The list does not list itself.
      name: name === ENTRY.checksums ? null : name,
      target: target && { ...target, fd: target.tree?.createFile(target.path, target.header.mode) ?? null },
      position: 0,
      hash: createHash('sha256'),
    };
  }
}

function linkTarget({ name, linkname }: TarHeader): string {
  if (linkname !== '' && !linkname.includes('\0')) return linkname;
  throw unsafe(`the link ${quoted(name)} has no target`);
}
