/**
 * The tail of an archive: INDEX.jsonl, SHA256SUMS and the end, found from behind, so that nothing in front of them has to be looked at.
 */
import { createHash } from 'node:crypto';
import {
  checksumLine,
  damaged,
  ENTRY,
  inflateMember,
  LineSplitter,
  MAX_INDEX_LINE,
  type Member,
  parseIndexLine,
  quoted,
  readMember,
  TarReader,
  truncated,
} from '../archive/index.js';
import { type FoundRun, type Run, runAt } from '../member-runs.js';

type FileRun = Run & { type: 'file' };

/** A file of the tail, and the member that it begins in. */
export type TailFile = Pick<FileRun, 'header' | 'segments'> & { member: Member };

export interface IndexTail {
  /** The members in front of it. */
  before: readonly Member[];
  index: TailFile;
  checksums: TailFile;
  /** Bytes of the file that were read to find it. */
  bytesRead: number;
}

/**
 * Finds the tail of an archive that promises an index.
 *
 * @throws ARCHIVE_TRUNCATED where the archive does not end as one does, ARCHIVE_DAMAGED where it has no index
 */
export function findTail(fd: number, members: readonly Member[]): IndexTail {
  const end = members.at(-1);
  if (end?.kind !== 'entries') throw truncated();
  const reader = new TarReader();
  for (const _ of reader.push(inflateMember(readMember(fd, end), end)));
  if (!reader.ended) throw truncated();
  let from = members.length - 1;
  for (let files = 0; files < 2; ) {
    from -= 1;
    const kind = members[from]?.kind;
    if (kind === undefined || kind === 'entries') throw missing();
    if (kind === 'first') files += 1;
  }
  const tail = members.slice(from, -1);
  const before = runAt(fd, tail, 0);
  const behind = runAt(fd, tail, before.next);
  if (behind.next !== tail.length) throw missing();
  const [index, checksums] = [tailFile(before), tailFile(behind)];
  if (index.header.name !== ENTRY.index || checksums.header.name !== ENTRY.checksums) throw missing();
  const bytesRead = end.size + before.read + behind.read;
  return { before: members.slice(0, from), index, checksums, bytesRead };
}

function tailFile({ run }: FoundRun): TailFile {
  const [first] = run.type === 'file' ? run.segments : [];
  if (run.type !== 'file' || first === undefined) throw missing();
  return { header: run.header, segments: run.segments, member: first.member };
}

function missing(): Error {
  return damaged(`it has no ${ENTRY.index} where its manifest promises one`);
}

/**
 * The lines of the index, as many at a time as a member holds.
 *
 * @param blockOf reads and inflates a member
 * @throws ARCHIVE_DAMAGED: of a line that is longer than any can be, and in the end where the whole is not what SHA256SUMS lists
 */
export function* indexText(
  { index, checksums }: IndexTail,
  blockOf: (member: Member) => Buffer,
): Generator<string[], void> {
  const hash = createHash('sha256');
  const lines = new LineSplitter(MAX_INDEX_LINE, (line) =>
    damaged(`a line of its ${ENTRY.index} is longer than any can be: ${quoted(line)}`),
  );
  for (const { member, skip, length } of index.segments) {
    const content = blockOf(member).subarray(skip, skip + length);
    hash.update(content);
    yield lines.push(content);
  }
  if (lines.end() !== '') throw damaged(`its ${ENTRY.index} ends in the middle of a line`);
  const line = checksumLine(hash.digest('hex'), ENTRY.index);
  const end = endOf(checksums, line.length + 1, blockOf);
  if (end !== line && end !== `\n${line}`)
    throw damaged(`its ${ENTRY.index} is not what ${ENTRY.checksums} lists last`);
}

/** More than a line that says that an archive is not complete can have, with the ends of it and of the one before. */
const LAST_LINE_BYTES = 64;

/**
 * What the last line of an index says of the archive, without reading the others.
 *
 * @param blockOf reads and inflates a member
 * @returns how many paths are missing, or in a state that they never had
 */
export function lastLineSays({ index }: IndexTail, blockOf: (member: Member) => Buffer): number {
  const [last, ...before] = endOf(index, LAST_LINE_BYTES, blockOf).split('\n').slice(0, -1).reverse();
  // A line without one before it is the end of a longer one.
  const line = last === undefined || before.length === 0 ? null : parseIndexLine(last);
  return line?.type === 'incomplete' ? line.paths : 0;
}

/** The last bytes of a file, as many as asked for or all that there are. */
function endOf({ segments }: TailFile, bytes: number, blockOf: (member: Member) => Buffer): string {
  let end = Buffer.alloc(0);
  for (let at = segments.length - 1; at >= 0 && end.length < bytes; at -= 1) {
    const { member, skip, length } = segments[at] as TailFile['segments'][number];
    end = Buffer.concat([blockOf(member).subarray(skip, skip + length), end]);
  }
  return end.subarray(-bytes).toString('latin1');
}
