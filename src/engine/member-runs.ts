/**
 * Members of an archive of ours, put together to what they are about: a block of entries each, or all the segments of one large file.
 */
import {
  type ArchivePath,
  checksumSplitter,
  damaged,
  inflateMember,
  type Member,
  placeOfEntry,
  quoted,
  type Role,
  readMember,
  release,
  type TarHeader,
  truncated,
  workspaceEntry,
} from './archive/index.js';
import { nextTurn } from './next-turn.js';
import { fileHeader } from './opened-archive.js';

/** Members that belong together. */
export type Run = { type: 'block'; member: Member } | FileRun;

/** Those of one file that stands alone. */
export interface FileRun {
  type: 'file';
  header: TarHeader;
  /** Which known file it is; null for any other. */
  role: Role | null;
  /** Its name for the checksums; null for a known file. */
  name: ArchivePath | null;
  /** Path in the workspace; null for any other file. */
  path: string | null;
  segments: { member: Member; skip: number; length: number }[];
}

/**
 * Puts the members of each large file together, and checks that they hold just what its header says.
 *
 * @throws ARCHIVE_DAMAGED, ARCHIVE_TRUNCATED, INTERRUPTED
 */
export async function cutRuns(fd: number, members: readonly Member[], signal: AbortSignal): Promise<Run[]> {
  const runs: Run[] = [];
  for (let index = 0; index < members.length; ) {
    const { run, next } = runAt(fd, members, index);
    runs.push(run);
    index = next;
    if (run.type === 'file') await nextTurn(signal);
  }
  return runs;
}

/** A run, and what it took to know it. */
export interface FoundRun {
  run: Run;
  /** Index of the member behind it. */
  next: number;
  /** Bytes of the file that were read. */
  read: number;
}

/** The run that begins with a member. @throws ARCHIVE_DAMAGED, ARCHIVE_TRUNCATED */
export function runAt(fd: number, members: readonly Member[], start: number): FoundRun {
  const member = members[start] as Member;
  if (member.kind === 'continuation') throw damaged(`the member at byte ${member.offset} continues no file`);
  if (member.kind === 'entries') return { run: { type: 'block', member }, next: start + 1, read: 0 };
  const { header, bytes, read } = fileHeader(fd, member);
  const place = placeOfEntry(header);
  const segments: { member: Member; skip: number; length: number }[] = [];
  let index = start;
  let left = header.size;
  let skip = bytes;
  for (let segment = member; ; segment = members[index] as Member) {
    const room = segment.blockBytes - skip;
    const length = Math.min(room, left);
    left -= length;
    segments.push({ member: segment, skip, length });
    // Only the last segment has padding, and never a whole record of it.
    if (room < 0 || room - length >= 512)
      throw damaged(`the member at byte ${segment.offset} holds more than its file`);
    if (left === 0) break;
    index += 1;
    if (index === members.length) throw truncated(segment.offset);
    if (members[index]?.kind !== 'continuation') throw damaged(`the file ${quoted(header.name)} is not complete in it`);
    skip = 0;
  }
  const run: Run = {
    type: 'file',
    header,
    role: place.type === 'known' ? place.role : null,
    name: place.type === 'known' ? null : place.type === 'other' ? place.path : workspaceEntry(place.path, false),
    path: place.type === 'workspace' ? place.path : null,
    segments,
  };
  return { run, next: index + 1, read };
}

/** Bytes of the file that a run takes. */
export function sizeOfRun(run: Run): number {
  return run.type === 'block' ? run.member.size : run.segments.reduce((sum, { member }) => sum + member.size, 0);
}

/** The lines of SHA256SUMS, those that end in a member together. @throws ARCHIVE_DAMAGED where one is longer than any can be */
export function* checksumLines(fd: number, { segments }: FileRun): Generator<string[]> {
  const splitter = checksumSplitter();
  for (const { member, skip, length } of segments) {
    const block = inflateMember(readMember(fd, member), member);
    const lines = splitter.push(block.subarray(skip, skip + length));
    release(block);
    yield lines;
  }
}
