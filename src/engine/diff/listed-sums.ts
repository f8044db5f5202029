/**
 * SHA256SUMS of an archive of ours, read along with its entries: its lines stand in their order, so neither side has to be kept.
 */
import { StringDecoder } from 'node:string_decoder';
import { damaged, ENTRY, inflateMember, parseChecksumLine, quoted, readMember } from '../archive/index.js';
import type { Run } from '../member-runs.js';

/** The checksums that an archive lists. */
export class ListedSums {
  readonly #lines: Iterator<string>;

  /** @param list the members of SHA256SUMS */
  constructor(fd: number, list: Run | undefined) {
    if (list?.type !== 'file') throw damaged(`there is no ${ENTRY.checksums} in it`);
    this.#lines = linesOf(fd, list);
  }

  /** The checksum of the entry that stands next. @throws ARCHIVE_DAMAGED where another is listed there */
  take(name: string): string {
    const { value, done } = this.#lines.next();
    const line = done === true ? null : parseChecksumLine(value);
    if (line?.name === name) return line.sha256;
    throw damaged(`its ${ENTRY.checksums} does not list ${quoted(name)} in its place`);
  }
}

function* linesOf(fd: number, { segments }: Run & { type: 'file' }): Generator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for (const { member, skip, length } of segments) {
    const content = inflateMember(readMember(fd, member), member).subarray(skip, skip + length);
    const lines = (rest + decoder.write(content)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
