/**
 * One file of a directory, judged by its content: an archive that the rules count, or something that they do not touch.
 *
 * It is looked at as cheaply as will do. An archive of ours is walked from member to member to its end, where its checksums must be: that takes hardly any
 * inflating, and finds every one that is cut off. The last line of its index says whether it is complete. Any other is read as far as its manifest; whether it is whole shows only when it is read to its end, which
 * {@link checkStream} does for the one that matters.
 */
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  damaged,
  decodeManifest,
  ENTRY,
  firstHeader,
  indexMembers,
  inflateMember,
  isTemporaryName,
  type Manifest,
  type Member,
  notAnArchive,
  placeOf,
  readMember,
  readStream,
  type TarEvent,
  type TarHeader,
  TarReader,
  truncated,
} from '../archive/index.js';
import { incompleteOf } from '../contents.js';
import { SnapshotError, systemErrorCode, systemErrorText } from '../errors.js';
import { fileHeader } from '../opened-archive.js';
import type { ArchiveSource, Untouched } from '../prune-options.js';
import type { Snapshot } from './policy.js';

/** What makes a file the one that was judged. */
export interface Identity {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
}

/** An archive that the rules count. */
export interface Candidate extends Snapshot {
  type: 'candidate';
  path: string;
  createdAt: string;
  /** Bytes. */
  size: number;
  /** Null where its manifest does not say. */
  source: ArchiveSource | null;
  identity: Identity;
  /** Whether it is known to be whole. */
  isWhole: boolean;
}

/** Something that they do not. */
export interface Bystander extends Untouched {
  type: 'bystander';
}

/** The manifest of an archive that is read as a stream must end within so many of its bytes: somebody else's .tar.gz can have any size. */
const MANIFEST_WITHIN_BYTES = 64 << 20;
/** A manifest is a few hundred bytes; of a larger one its size is said. */
const MAX_MANIFEST_BYTES = (1 << 20) + 1;
/** A clock may be a little ahead, or off by a time zone. */
const AHEAD_MS = 24 * 3_600_000;

/** What an error says of a file. */
const WHY: Partial<Record<SnapshotError['code'], Untouched['why']>> = {
  NOT_AN_ARCHIVE: 'not-an-archive',
  MANIFEST_MISSING: 'not-an-archive',
  MANIFEST_INVALID: 'manifest',
  MANIFEST_VERSION: 'version',
  ARCHIVE_DAMAGED: 'damaged',
  ARCHIVE_TRUNCATED: 'damaged',
  ARCHIVE_UNSAFE: 'damaged',
};

/**
 * Looks at a name in a directory. No link is followed, and nothing is opened that is no regular file.
 *
 * @param now milliseconds since 1970
 * @returns null where there is nothing of that name any more
 * @throws PRUNE_UNREADABLE
 */
export async function lookAt(
  directory: string,
  name: string,
  now: number,
  signal: AbortSignal,
): Promise<Candidate | Bystander | null> {
  const path = join(directory, name);
  const untouched = (why: Untouched['why'], message: string): Bystander => ({ type: 'bystander', name, why, message });
  const opened = await openRegular(path, untouched);
  if (opened === null || !('handle' in opened)) return opened;
  const { handle } = opened;
  try {
    const stats = await handle.stat({ bigint: true });
    const { manifest, isWhole, incomplete } = await sight(handle.fd, Number(stats.size), signal);
    const time = timeOf(manifest);
    if (time === null) return untouched('time', `its manifest has no usable time: ${manifest.created_at}`);
    if (time > now + AHEAD_MS) return untouched('time', `its time is still to come: ${manifest.created_at}`);
    const { created_at: createdAt } = manifest;
    const [size, source, identity] = [Number(stats.size), sourceOf(manifest), identityOf(stats)];
    return { type: 'candidate', name, path, time, incomplete, createdAt, size, source, identity, isWhole };
  } catch (error) {
    const why = error instanceof SnapshotError ? WHY[error.code] : undefined;
    if (why !== undefined && error instanceof SnapshotError) return untouched(why, error.message);
    throw unreadable(path, error);
  } finally {
    await handle.close();
  }
}

/**
 * Reads an archive that has no members of ours to its end.
 *
 * @param onRead told how many of its bytes have been read
 * @returns whether it is whole, or gone, or why else it does not count
 * @throws PRUNE_UNREADABLE
 */
export async function checkStream(
  candidate: Candidate,
  signal: AbortSignal,
  onRead: (bytes: number) => void,
): Promise<Untouched | 'whole' | 'gone'> {
  const { name, path, size, identity } = candidate;
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!isSame(identityOf(await handle.stat({ bigint: true })), identity)) {
        return { name, why: 'changed', message: 'it changed while it was looked at' };
      }
      await checkWhole(readStream(handle.fd, size, signal, onRead));
      return 'whole';
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof SnapshotError && WHY[error.code] !== undefined) {
      return { name, why: 'damaged', message: error.message };
    }
    if (systemErrorCode(error) === 'ENOENT') return 'gone';
    throw unreadable(path, error);
  }
}

/** What makes a file this one. */
export function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): Identity {
  return { dev, ino, size, mtimeNs };
}

export function isSame(a: Identity, b: Identity): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/** The error of something that may be an archive, for all that can be known: then nothing can be decided. */
function unreadable(path: string, cause: unknown): unknown {
  const isRead = cause instanceof SnapshotError && cause.code === 'INPUT_UNREADABLE';
  if (!isRead && systemErrorCode(cause) === undefined) return cause;
  const words = cause instanceof SnapshotError ? cause.message : systemErrorText(cause);
  return new SnapshotError('PRUNE_UNREADABLE', `${path} cannot be read: ${words}; nothing was removed`, {
    hint: 'it may be the archive that the others depend on: make it readable, or move it away',
    cause,
  });
}

async function openRegular(
  path: string,
  untouched: (why: Untouched['why'], message: string) => Bystander,
): Promise<{ handle: FileHandle } | Bystander | null> {
  try {
    const stats = await lstat(path);
    if (stats.isSymbolicLink()) return untouched('not-a-file', 'a symbolic link');
    if (stats.isDirectory()) return untouched('not-a-file', 'a directory');
    if (!stats.isFile()) return untouched('not-a-file', 'neither a file nor a directory');
    if (isTemporaryName(path.slice(path.lastIndexOf('/') + 1))) {
      return untouched(
        'temporary',
        'the temporary file of a backup; the next one to this directory clears it if it is left over',
      );
    }
    return { handle: await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK) };
  } catch (error) {
    // Gone, or something else by now, of which the same can be said.
    if (['ENOENT', 'ELOOP', 'ENXIO'].includes(systemErrorCode(error) ?? '')) return null;
    throw unreadable(path, error);
  }
}

/** What is known of an archive. */
type Sight = { manifest: Manifest } & Pick<Candidate, 'isWhole' | 'incomplete'>;

/** @throws NOT_AN_ARCHIVE, MANIFEST_*, ARCHIVE_*, system errors */
async function sight(fd: number, size: number, signal: AbortSignal): Promise<Sight> {
  const header = firstHeader(fd);
  if (header === 'damaged') throw damaged('the header of its first member is not as it was written');
  const members = header === 'whole' ? indexMembers(fd, size) : null;
  const [first] = members ?? [];
  if (members !== null && first !== undefined) {
    const content = manifestIn(new TarReader().push(inflateMember(readMember(fd, first), first)));
    if (content === null) throw new SnapshotError('MANIFEST_INVALID', 'its first member has no MANIFEST.json');
    const manifest = decodeManifest(content);
    checkEnd(fd, members, manifest);
    return { manifest, isWhole: true, incomplete: incompleteOf({ fd, members, manifest }) };
  }
  return { manifest: decodeManifest(await streamedManifest(fd, size, signal)), isWhole: false, incomplete: null };
}

async function streamedManifest(fd: number, size: number, signal: AbortSignal): Promise<Buffer> {
  let taken = 0;
  const collector = new ManifestCollector();
  try {
    for await (const event of readStream(fd, size, signal, (bytes) => {
      taken = bytes;
    })) {
      collector.see(event);
      if (collector.content !== null) return collector.content;
      if (taken > MANIFEST_WITHIN_BYTES) break;
    }
  } catch (error) {
    // Without a manifest nothing says that it ever was an archive of Leoflow's.
    if (error instanceof SnapshotError && WHY[error.code] === 'damaged') throw notAnArchive(error.message);
    throw error;
  }
  throw new SnapshotError('MANIFEST_MISSING', `there is no MANIFEST.json in ${taken < size ? 'its beginning' : 'it'}`);
}

function manifestIn(events: Iterable<TarEvent>): Buffer | null {
  const collector = new ManifestCollector();
  for (const event of events) collector.see(event);
  return collector.content;
}

/** Picks the manifest out of the events of an archive. */
class ManifestCollector {
  /** Null until it is complete. */
  content: Buffer | null = null;
  #pieces: Buffer[] | null = null;
  #bytes = 0;

  see(event: TarEvent): void {
    if (event.type === 'entry') {
      this.#pieces = this.content === null && isKnown(event.header, 'manifest') ? [] : null;
      this.#bytes = 0;
    } else if (this.#pieces !== null && event.type === 'content' && this.#bytes < MAX_MANIFEST_BYTES) {
      this.#pieces.push(Buffer.from(event.bytes));
      this.#bytes += event.bytes.length;
    } else if (this.#pieces !== null && event.type === 'done') {
      this.content = Buffer.concat(this.#pieces);
    }
  }
}

/** What an archive of ours ends with: its checksums, where they are promised, and the end-of-archive marker. @throws ARCHIVE_* */
function checkEnd(fd: number, members: readonly Member[], manifest: Manifest): void {
  const last = members.at(-1) as Member;
  const reader = new TarReader();
  if (last.kind === 'entries') for (const _ of reader.push(inflateMember(readMember(fd, last), last)));
  if (!reader.ended) throw truncated();
  if (manifest.checksums === undefined) return;
  const at = members.findLastIndex(({ kind }) => kind === 'first');
  const begin = members[at];
  const header = begin === undefined ? null : fileHeader(fd, begin);
  if (begin === undefined || header === null || !isKnown(header.header, 'checksums')) {
    throw damaged(`${ENTRY.checksums} is missing, which its manifest promises`);
  }
  let room = begin.blockBytes - header.bytes;
  for (const { kind, blockBytes } of members.slice(at + 1)) if (kind === 'continuation') room += blockBytes;
  if (room < header.header.size) throw damaged(`${ENTRY.checksums} is not complete`);
}

/** Reads all of an archive, and looks for what every one has. @throws ARCHIVE_* */
async function checkWhole(events: AsyncIterable<TarEvent>): Promise<void> {
  const collector = new ManifestCollector();
  const seen = { datastore: false, checksums: false };
  for await (const event of events) {
    collector.see(event);
    if (event.type !== 'entry') continue;
    seen.datastore ||= isKnown(event.header, 'datastore');
    seen.checksums ||= isKnown(event.header, 'checksums');
  }
  if (!seen.datastore) throw damaged(`there is no ${ENTRY.datastore} in it`);
  const promised = collector.content !== null && decodeManifest(collector.content).checksums !== undefined;
  if (promised && !seen.checksums) throw damaged(`${ENTRY.checksums} is missing, which its manifest promises`);
}

function isKnown({ name, kind }: TarHeader, role: 'manifest' | 'datastore' | 'checksums'): boolean {
  if (kind !== 'file') return false;
  const place = placeOf(name, 'other');
  return place.type === 'known' && place.role === role;
}

function sourceOf({ source }: Manifest): ArchiveSource | null {
  const [hostname, home] = [source?.hostname ?? null, source?.home ?? null];
  return hostname === null && home === null ? null : { hostname, home };
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** `created_at` as milliseconds since 1970; null where it is no time, or one before that. */
function timeOf({ created_at: createdAt }: Manifest): number | null {
  const time = TIME.test(createdAt) ? Date.parse(createdAt) : Number.NaN;
  return time >= 0 ? time : null;
}
