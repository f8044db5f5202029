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
  hardLinkTarget,
  inflateMember,
  type Member,
  placeOf,
  quoted,
  type Role,
  readMember,
  type TarHeader,
  TarReader,
  unsafe,
  workspaceEntry,
} from '../archive/index.js';
import { carrying } from './carried-error.js';
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
}

export interface UnpackResult extends Unpacked {
  /** First and last path of the workspace in the block, for the order across blocks. */
  first: string | null;
  last: string | null;
  /** Whether the last one is no directory, so that nothing can lie below it. */
  lastIsLeaf: boolean;
  /** Whether something lies below an entry that is no directory. */
  collides: boolean;
  /** Known files at the top that lie in the block. */
  known: { role: Role; content: Uint8Array }[];
  /** Whether the block holds the end-of-archive marker. */
  ended: boolean;
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

/** Unpacks a block of whole entries into the staging tree. */
export const unpackBlock = carrying(({ fd, member, root, seals }: UnpackTask): UnpackResult => {
  const block = blockOf(fd, member, seals);
  const reader = new TarReader();
  const sink = new WorkspaceSink(root);
  const known: UnpackResult['known'] = [];
  let first: string | null = null;
  let last: string | null = null;
  let lastIsLeaf = false;
  let collides = false;
  let take: ((bytes: Buffer) => void) | null = null;
  let done: (() => void) | null = null;
  try {
    for (const event of reader.push(block)) {
      if (event.type === 'content') take?.(event.bytes);
      else if (event.type === 'done') done?.();
      else {
        const { header } = event;
        const place = placeOf(header.name, header.kind === 'directory' ? 'directory' : 'other');
        take = done = null;
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
        } else if (header.kind === 'file' && place.type === 'other' && place.path !== null) {
          sink.pass(place.path);
          take = (bytes) => sink.content(bytes);
          done = () => sink.done();
        } else if (header.kind === 'file' && place.type === 'known') {
          const pieces: Buffer[] = [];
          take = (bytes) => void pieces.push(bytes);
          done = () => void known.push({ role: place.role, content: Buffer.concat(pieces) });
        }
      }
    }
    if (!reader.betweenEntries) throw damaged(`the member at byte ${member.offset} ends in the middle of an entry`);
  } finally {
    sink.close();
  }
  return { ...sink.unpacked, first, last, lastIsLeaf, collides, known, ended: reader.ended };
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

/** A file whose content is coming. */
interface SinkFile {
  name: ArchivePath;
  /** Null where it goes nowhere. */
  target: { path: string; header: TarHeader; fd: number | null } | null;
  position: number;
  hash: Hash;
}

/** Puts entries of the workspace into the staging tree, one after the other, their content in pieces. */
export class WorkspaceSink {
  readonly unpacked: Unpacked = { checksums: '', directories: [], links: [], files: 0, bytes: 0 };
  readonly #tree: StagingTree | null;
  #file: SinkFile | null = null;

  /** @param root the staging tree; null to check only */
  constructor(root: string | null) {
    this.#tree = root === null ? null : new StagingTree(root);
  }

  /** @throws ARCHIVE_UNSAFE, STAGING_FULL, STAGING_WRITE */
  begin(path: string, header: TarHeader): void {
    const { kind, mode, mtime } = header;
    if (kind === 'special') throw unsafe(`${quoted(header.name)} is a device or a FIFO`);
    if (kind === 'directory') {
      this.#tree?.createDirectory(path);
      this.unpacked.directories.push({ path, mode, mtime });
    } else if (kind === 'file') {
      const fd = this.#tree?.createFile(path, mode) ?? null;
      const name = workspaceEntry(path, false);
      this.#file = { name, target: { path, header, fd }, position: 0, hash: createHash('sha256') };
    } else {
      // Now, while there is no link that the path could lead through.
      this.#tree?.createDirectory(dirname(path));
      const target = kind === 'hardlink' ? hardLinkTarget(header.linkname, header.name) : linkTarget(header);
      this.unpacked.links.push({ path, kind, target, mtime });
    }
  }

  /** Takes a file that is none of the workspace, only for its checksum. */
  pass(name: ArchivePath): void {
    this.#file = { name, target: null, position: 0, hash: createHash('sha256') };
  }

  content(bytes: Buffer): void {
    const file = this.#file;
    if (file === null) return;
    const { target } = file;
    if (target !== null && target.fd !== null) this.#tree?.write(target.path, target.fd, bytes, file.position);
    file.position += bytes.length;
    file.hash.update(bytes);
  }

  done(): void {
    const file = this.#file;
    if (file === null) return;
    this.#file = null;
    this.unpacked.checksums += checksumLine(file.hash.digest('hex'), file.name);
    if (file.target === null) return;
    const { path, header, fd } = file.target;
    if (fd !== null) this.#tree?.finishFile(path, fd, header.mode, header.mtime);
    this.unpacked.files += 1;
    this.unpacked.bytes += file.position;
  }

  /** Gives up on a file that is not complete. */
  close(): void {
    const target = this.#file?.target;
    this.#file = null;
    if (target?.fd != null) this.#tree?.finishFile(target.path, target.fd, 0o600, 0);
  }
}

function linkTarget({ name, linkname }: TarHeader): string {
  if (linkname !== '' && !linkname.includes('\0')) return linkname;
  throw unsafe(`the link ${quoted(name)} has no target`);
}
