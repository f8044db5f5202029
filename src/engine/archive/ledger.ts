/**
 * The ledger: whether what came out of an archive is what its SHA256SUMS lists.
 *
 * Both sides are lines of text, as many as there are files, so neither is held in memory. In an archive of ours they are the same lines in the same
 * order, and one digest over each settles it. Only where they differ, by order (a repacked archive) or in earnest, they are compared by name, a
 * part at a time.
 */
import { createHash } from 'node:crypto';
import { SnapshotError } from '../errors.js';
import { placeOf, quoted } from './entry-place.js';
import { LineSplitter } from './line-splitter.js';
import { Lines } from './lines.js';
import { ENTRY } from './names.js';
import { damaged } from './tar-reader.js';

/** Bytes of lines that are compared in memory at once. */
const PART_BYTES = 16 << 20;
/** The longest line: a path of PATH_MAX bytes, all of them escaped, and more than room for the rest. */
const MAX_LINE = 16 << 10;
/** Differences that are told. Whoever hears of so many needs no others. */
const MAX_DIFFERENCES = 10_000;
/** Names that an error lists. */
const LISTED = 5;

/** An entry that is not as SHA256SUMS lists it. */
export interface ListDifference {
  name: string;
  what: 'differs' | 'is missing' | 'is not listed' | 'is listed twice';
}

/** Keeps both sides, and compares them. */
export class ChecksumLedger {
  readonly #found: Lines;
  readonly #listed: Lines;
  #lists = 0;

  /** @param directory private, with room for a line per file */
  constructor(directory: string) {
    this.#found = new Lines(directory);
    this.#listed = new Lines(directory);
  }

  /** Lines of entries that came out of the archive. */
  addFound(lines: string): void {
    this.#found.add(lines);
  }

  /** A SHA256SUMS begins in the archive. @throws ARCHIVE_DAMAGED when it is the second one */
  beginList(): void {
    this.#lists += 1;
    if (this.#lists > 1) throw damaged(`there is more than one ${ENTRY.checksums} in it`);
  }

  /** A piece of SHA256SUMS. */
  addListed(content: Uint8Array): void {
    this.#listed.add(content);
  }

  /**
   * Compares.
   *
   * @param promised whether the manifest says that there is a SHA256SUMS
   * @returns whether both have the same order, too
   * @throws CHECKSUM_MISMATCH, ARCHIVE_TRUNCATED, ARCHIVE_DAMAGED, INTERRUPTED
   */
  async verify(promised: boolean, signal: AbortSignal): Promise<boolean> {
    if (!this.#hasToCompare(promised)) return false;
    if (this.#found.digest() === this.#listed.digest()) return true;
    await refuse(this.differences(signal));
    return false;
  }

  /** Compares only what came out of the archive. Parameter and errors are those of {@link verify}. */
  async verifyFound(promised: boolean, signal: AbortSignal): Promise<void> {
    if (this.#hasToCompare(promised)) await refuse(first(this.#foundDifferences(signal)));
  }

  #hasToCompare(promised: boolean): boolean {
    this.#found.flush();
    this.#listed.flush();
    if (this.#lists > 0 || !promised) return this.#lists > 0;
    throw new SnapshotError(
      'ARCHIVE_TRUNCATED',
      `the archive has no ${ENTRY.checksums}, though its manifest promises one: it is cut off`,
      {
        hint: 'the copy is incomplete: transfer it again, or take another backup; nothing was changed',
      },
    );
  }

  /** Names of the regular entries that came out of the archive. @throws INTERRUPTED */
  async *foundNames(signal: AbortSignal): AsyncGenerator<string> {
    this.#found.flush();
    for await (const line of this.#found.read(MAX_LINE, badLine, signal)) yield parseChecksumLine(line).name;
  }

  close(): void {
    this.#found.close();
    this.#listed.close();
  }

  /** Whether the archive has a SHA256SUMS. */
  get hasList(): boolean {
    return this.#lists > 0;
  }

  /** What of the regular entries is not as SHA256SUMS lists it, the first 10,000. @throws ARCHIVE_DAMAGED, INTERRUPTED */
  differences(signal: AbortSignal): AsyncGenerator<ListDifference> {
    return first(this.#differences(signal));
  }

  /** Refuses a list that is far longer than what is in the archive, whatever it says: escapes make a line no more than twice as long. */
  #checkLength(): void {
    this.#found.flush();
    this.#listed.flush();
    if (this.#listed.bytes > PART_BYTES + 2 * this.#found.bytes)
      throw damaged(`its ${ENTRY.checksums} lists far more than what is in it: it has ${this.#listed.bytes} bytes`);
  }

  async *#differences(signal: AbortSignal): AsyncGenerator<ListDifference> {
    this.#checkLength();
    const parts = Math.ceil(Math.max(this.#listed.bytes, this.#found.bytes) / PART_BYTES);
    for (let part = 0; part < parts; part += 1) {
      const listed = new Map<string, string>();
      for await (const line of this.#listed.read(MAX_LINE, badLine, signal)) {
        const { sha256, name } = parseChecksumLine(line);
        if (partOf(name, parts) !== part) continue;
        if (listed.has(name)) yield { name, what: 'is listed twice' };
        listed.set(ownText(name), ownText(sha256));
      }
      for await (const line of this.#found.read(MAX_LINE, badLine, signal)) {
        const { sha256, name } = parseChecksumLine(line);
        if (partOf(name, parts) !== part) continue;
        const expected = listed.get(name);
        if (expected === undefined) {
          // What nobody knows may have come into the archive when it was repacked.
          if (placeOf(name, 'other').type !== 'other') yield { name, what: 'is not listed' };
        } else if (expected !== sha256) yield { name, what: 'differs' };
        listed.delete(name);
      }
      for (const name of listed.keys()) yield { name, what: 'is missing' };
    }
  }

  /** The same where not all came out of the archive: what is listed beside that is passed over. @throws ARCHIVE_DAMAGED, INTERRUPTED */
  async *#foundDifferences(signal: AbortSignal): AsyncGenerator<ListDifference> {
    const parts = Math.ceil(this.#found.bytes / PART_BYTES);
    for (let part = 0; part < parts; part += 1) {
      const found = new Map<string, string>();
      for await (const line of this.#found.read(MAX_LINE, badLine, signal)) {
        const { sha256, name } = parseChecksumLine(line);
        if (partOf(name, parts) === part) found.set(ownText(name), ownText(sha256));
      }
      const listed = new Set<string>();
      for await (const line of this.#listed.read(MAX_LINE, badLine, signal)) {
        const { sha256, name } = parseChecksumLine(line);
        const actual = found.get(name);
        if (actual === undefined) continue;
        if (listed.has(name)) yield { name, what: 'is listed twice' };
        else if (actual !== sha256) yield { name, what: 'differs' };
        listed.add(ownText(name));
      }
      for (const name of found.keys()) {
        if (!listed.has(name) && placeOf(name, 'other').type !== 'other') yield { name, what: 'is not listed' };
      }
    }
  }
}

/** @throws CHECKSUM_MISMATCH where there are any */
async function refuse(differences: AsyncIterable<ListDifference>): Promise<void> {
  let count = 0;
  const named: string[] = [];
  for await (const { name, what } of differences) {
    count += 1;
    if (count <= LISTED) named.push(`${quoted(name)} ${what}`);
  }
  if (count === 0) return;
  const atLeast = count === MAX_DIFFERENCES ? 'at least ' : '';
  const more = count > LISTED ? ` and ${atLeast}${count - LISTED} more` : '';
  throw new SnapshotError(
    'CHECKSUM_MISMATCH',
    `the archive does not hold what its ${ENTRY.checksums} lists: ${named.join(', ')}${more}`,
    { hint: 'the archive is damaged: take another copy of it, or another backup; nothing was changed' },
  );
}

/** Cuts a SHA256SUMS into lines as it comes; of a line that is longer than any can be it throws ARCHIVE_DAMAGED. */
export function checksumSplitter(): LineSplitter {
  return new LineSplitter(MAX_LINE, badLine);
}

async function* first(differences: AsyncIterable<ListDifference>): AsyncGenerator<ListDifference> {
  let count = 0;
  for await (const difference of differences) {
    yield difference;
    count += 1;
    if (count === MAX_DIFFERENCES) return;
  }
}

/** A line of SHA256SUMS, as coreutils writes it. @throws ARCHIVE_DAMAGED */
export function parseChecksumLine(line: string): { sha256: string; name: string } {
  const [, escaped, sha256, name] = /^(\\?)([0-9a-f]{64}) [ *](.+)$/s.exec(line) ?? [];
  if (sha256 === undefined || name === undefined) {
    throw badLine(line);
  }
  if (escaped === '') return { sha256, name };
  return { sha256, name: name.replace(/\\(.)/g, (_, char: string) => UNESCAPED.get(char) ?? char) };
}

const UNESCAPED = new Map([
  ['n', '\n'],
  ['r', '\r'],
]);

function badLine(line: string): SnapshotError {
  return damaged(`a line of its ${ENTRY.checksums} is none: ${quoted(line)}`);
}

/** A text as a string of its own: one that was cut out of a larger one keeps all of that in memory for as long as it lives itself. */
export function ownText(text: string): string {
  return Buffer.from(text).toString();
}

/** Which of so many parts a name belongs to. */
export function partOf(name: string, parts: number): number {
  if (parts === 1) return 0;
  return createHash('md5').update(name).digest().readUInt32LE(0) % parts;
}
