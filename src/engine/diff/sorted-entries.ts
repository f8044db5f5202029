/**
 * Entries in path order, from an archive that has them in another: sorted in parts that the memory takes, which are merged.
 */
import { comparePaths, Lines } from '../archive/index.js';
import type { ListedEntry } from '../workspace/index.js';

/** Entries that are sorted in memory at once. */
const PART_ENTRIES = 1 << 15;
/** A line of a part: a path of PATH_MAX bytes and a target, all of it escaped. */
const LONGEST_LINE = 128 << 10;

/** Takes entries in any order, gives them back in path order. */
export class SortedEntries {
  readonly #directory: string;
  readonly #parts: Lines[] = [];
  #entries: ListedEntry[] = [];

  /** @param directory private, with room for a line per entry */
  constructor(directory: string) {
    this.#directory = directory;
  }

  add(entry: ListedEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length >= PART_ENTRIES) this.#spill();
  }

  /** All entries. Nothing may be added any more. */
  async *read(): AsyncGenerator<ListedEntry> {
    if (this.#parts.length === 0) {
      yield* sorted(this.#entries);
      return;
    }
    this.#spill();
    const sources = await Promise.all(this.#parts.map(async (part) => next(entriesOf(part))));
    for (;;) {
      let least: Source | null = null;
      for (const source of sources) {
        if (source.entry === null) continue;
        if (least?.entry == null || comparePaths(source.entry.path, least.entry.path) < 0) least = source;
      }
      if (least?.entry == null) return;
      yield least.entry;
      least.entry = (await next(least.rest)).entry;
    }
  }

  close(): void {
    for (const part of this.#parts) part.close();
  }

  #spill(): void {
    const part = new Lines(this.#directory);
    this.#parts.push(part);
    for (const entry of sorted(this.#entries)) part.add(Buffer.from(`${JSON.stringify(entry)}\n`));
    part.flush();
    this.#entries = [];
  }
}

/** A part, and its first entry that was not given back yet. */
interface Source {
  entry: ListedEntry | null;
  rest: AsyncGenerator<ListedEntry>;
}

async function next(rest: AsyncGenerator<ListedEntry>): Promise<Source> {
  const { value, done } = await rest.next();
  return { entry: done === true ? null : value, rest };
}

async function* entriesOf(part: Lines): AsyncGenerator<ListedEntry> {
  for await (const line of part.read(LONGEST_LINE, () => new Error('a part holds a line that it was not given'))) {
    yield JSON.parse(line) as ListedEntry;
  }
}

function sorted(entries: ListedEntry[]): ListedEntry[] {
  return entries.sort((a, b) => comparePaths(a.path, b.path));
}
