/**
 * Proof of an index: whether INDEX.jsonl says what is in the archive, for whoever reads all of it.
 *
 *     blocks ─▶ workers make the lines of their entries ─┬─▶ one digest, in the order of the archive
 *     headers of large files ────────────────────────────┘
 *     INDEX.jsonl, as it passes ─▶ a digest of as many bytes    the same: it is as we write it
 *                                  else: read as every reader does, each line written as we would ─▶ a digest    the same: it says the same, and more
 *
 * The second way is for what others have written, or a later version with keys that are not known here. It needs the index a second time.
 */
import { createHash } from 'node:crypto';
import {
  type ArchivePath,
  damaged,
  ENTRY,
  entryLine,
  MAX_INDEX_LINE,
  memberLine,
  parseIndexLine,
} from '../archive/index.js';
import { openContents } from '../contents.js';
import type { FileRun, Run } from '../member-runs.js';
import type { OpenedArchive } from '../opened-archive.js';

/** Rules of that many bytes are looked at as they pass; nobody has more. */
const MAX_BEHIND_BYTES = 1 << 20;

/** Takes what is in an archive and its index, once, and compares them. */
export class IndexProof {
  readonly #found = createHash('sha256');
  #foundBytes = 0;
  /** Whether all that was found is what we write: of anything else the index is read as `list` does, which takes less. */
  #isOurs: boolean;
  /** The dump is read beside the others; its lines are due where it stands. */
  #dump: FileRun | undefined;
  /** Offset of the member that the index begins in; nothing from there on stands in it. */
  readonly #end: number;
  readonly #said = createHash('sha256');
  #saidBytes = 0;
  /** What stands in the index behind the lines of the entries, the first of it. */
  readonly #behind: Uint8Array[] = [];
  #behindBytes = 0;

  /** @param runs all of the archive */
  constructor(runs: readonly Run[]) {
    const files = runs.filter((run) => run.type === 'file');
    this.#dump = files.find(({ role }) => role === 'datastore');
    const [index, checksums] = runs.slice(-3);
    this.#isOurs = isNamed(index, ENTRY.index) && isNamed(checksums, ENTRY.checksums);
    this.#end = this.#isOurs ? offsetOf(index as FileRun) : Number.POSITIVE_INFINITY;
  }

  /**
   * A block of entries; all in the order of the archive.
   *
   * @param lines of its entries
   * @param isOurs whether these are such as we write
   */
  addBlock(offset: number, lines: string, isOurs: boolean): void {
    if (offset >= this.#end) return;
    this.#isOurs &&= isOurs && lines !== '';
    this.#add(offset, lines);
  }

  /** A file that stands alone, but for the dump; before its content. */
  addFile(offset: number, file: Large): void {
    if (offset > this.#end) return;
    if (offset === this.#end) this.#addDump();
    else {
      this.#isOurs &&= file.path !== null || file.role !== null;
      this.#add(offset, fileLine(file));
    }
  }

  /** A piece of the index. */
  addIndex(content: Uint8Array): void {
    const left = this.#foundBytes - this.#saidBytes;
    const said = content.subarray(0, left);
    this.#said.update(said);
    this.#saidBytes += said.length;
    const behind = content.subarray(said.length);
    if (this.#behindBytes <= MAX_BEHIND_BYTES && behind.length > 0) this.#behind.push(Uint8Array.from(behind));
    this.#behindBytes += behind.length;
  }

  /**
   * Compares, when all has come.
   *
   * @param isListedLast whether SHA256SUMS lists the index where it should
   * @throws ARCHIVE_DAMAGED, INTERRUPTED
   */
  async check(archive: OpenedArchive, isListedLast: boolean, signal: AbortSignal): Promise<void> {
    const found = this.#found.digest('hex');
    if (isListedLast && this.#isOurs && this.#said.digest('hex') === found && this.#hasOurEnd()) return;
    const said = createHash('sha256');
    let last: number | null = null;
    for await (const batch of openContents(archive, signal).entries()) {
      for (const { member, link, ...entry } of batch) {
        // These two come from their headers: the index cannot speak of them.
        if (entry.name === ENTRY.index || entry.name === ENTRY.checksums) continue;
        if (member !== last && member !== null) said.update(memberLine(member));
        last = member;
        said.update(entryLine(link === null ? entry : { ...entry, linkname: link }));
      }
    }
    if (said.digest('hex') !== found) throw damaged(`its ${ENTRY.index} does not say what is in it`);
  }

  #add(offset: number, lines: string): void {
    if (this.#dump !== undefined && offsetOf(this.#dump) < offset) this.#addDump();
    this.#addLines(memberLine(offset) + lines);
  }

  #addDump(): void {
    const dump = this.#dump;
    this.#dump = undefined;
    if (dump !== undefined) this.#addLines(memberLine(offsetOf(dump)) + fileLine(dump));
  }

  #addLines(lines: string): void {
    const bytes = Buffer.from(lines);
    this.#found.update(bytes);
    this.#foundBytes += bytes.length;
  }

  /** Whether behind the entries there are rules, and the line that ends an archive that is not complete, and nothing else. */
  #hasOurEnd(): boolean {
    if (this.#behindBytes > MAX_BEHIND_BYTES) return false;
    const lines = Buffer.concat(this.#behind).toString().split('\n');
    const isWhole = lines.pop() === '';
    const types = lines.map((line) => (line.length <= MAX_INDEX_LINE ? parseIndexLine(line)?.type : undefined));
    if (types.at(-1) === 'incomplete') types.pop();
    return isWhole && types.every((type) => type === 'leftOut');
  }
}

type Large = Omit<FileRun, 'type' | 'segments'>;

function fileLine(file: Large): string {
  const { mode, mtime, size } = file.header;
  return entryLine({ name: nameOf(file), kind: 'file', mode, mtime, size });
}

function nameOf({ role, name }: Large): ArchivePath {
  return role === null ? (name ?? ENTRY.workspace) : ENTRY[role];
}

function isNamed(run: Run | undefined, name: ArchivePath): boolean {
  return run?.type === 'file' && nameOf(run) === name;
}

function offsetOf({ segments }: FileRun): number {
  return segments[0]?.member.offset ?? 0;
}
