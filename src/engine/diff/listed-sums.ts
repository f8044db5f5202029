/**
 * SHA256SUMS of an archive of ours, read along with its entries: its lines stand in their order, so neither side has to be kept.
 */
import { damaged, ENTRY, parseChecksumLine, quoted } from '../archive/index.js';
import { checksumLines, type Run } from '../member-runs.js';

/** The checksums that an archive lists. */
export class ListedSums {
  readonly #lines: Iterator<string>;

  /** @param list the members of SHA256SUMS */
  constructor(fd: number, list: Run | undefined) {
    if (list?.type !== 'file') throw damaged(`there is no ${ENTRY.checksums} in it`);
    this.#lines = singly(checksumLines(fd, list));
  }

  /** The checksum of the entry that stands next. @throws ARCHIVE_DAMAGED where another is listed there */
  take(name: string): string {
    const { value, done } = this.#lines.next();
    const line = done === true ? null : parseChecksumLine(value);
    if (line?.name === name) return line.sha256;
    throw damaged(`its ${ENTRY.checksums} does not list ${quoted(name)} in its place`);
  }
}

function* singly(batches: Iterable<string[]>): Generator<string> {
  for (const lines of batches) yield* lines;
}
