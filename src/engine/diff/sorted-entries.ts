/**
 * Entries in path order, from an archive that has them in another: sorted in parts that the memory takes, which are merged.
 */
import { comparePaths, Lines } from '../archive/index.js';
import type { ListedEntry } from '../workspace/index.js';

/** Entries that are sorted in memory at once. */
const PART_ENTRIES = 1 << 14;
/** A line of a part: a path of PATH_MAX bytes and a target, all of it escaped. */
const LONGEST_LINE = 128 << 10;

/** Takes entries in any order, gives them back in path order. */
export class SortedEntries {
  readonly #directory: string;
  readonly #parts: Lines[] = [];
  #entries: ListedEntry[] = [];
  /** The last path in the last part. */
  #last: string | null = null;

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
    /** By their next entries, the least last. */
    const sources: Source[] = [];
    for (const part of this.#parts) await place(entriesOf(part), sources);
    for (let least = sources.pop(); least !== undefined; least = sources.pop()) {
      yield least.entry;
      await place(least.rest, sources);
    }
  }

  close(): void {
    for (const part of this.#parts) part.close();
  }

  /** Writes the entries in memory to a part: the last one, where they go on from it, as those of most archives do. */
  #spill(): void {
    const entries = sorted(this.#entries);
    this.#entries = [];
    const [first, last] = [entries.at(0), entries.at(-1)];
    if (first === undefined || last === undefined) return;
    if (this.#last === null || comparePaths(this.#last, first.path) >= 0) this.#parts.push(new Lines(this.#directory));
    this.#last = last.path;
    const part = this.#parts.at(-1);
    for (const entry of entries) part?.add(`${JSON.stringify(entry)}\n`);
    part?.flush();
  }
}

/** What is left of a part, behind its next entry. */
interface Source {
  entry: ListedEntry;
  rest: AsyncGenerator<ListedEntry>;
}

/** Puts a part to its place among the others, by its next entry; one that is at its end to none. */
async function place(rest: AsyncGenerator<ListedEntry>, sources: Source[]): Promise<void> {
  const { value, done } = await rest.next();
  if (done === true) return;
  let [from, to] = [0, sources.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (comparePaths((sources[middle] as Source).entry.path, value.path) > 0) from = middle + 1;
    else to = middle;
  }
  sources.splice(from, 0, { entry: value, rest });
}

async function* entriesOf(part: Lines): AsyncGenerator<ListedEntry> {
  for await (const line of part.read(LONGEST_LINE, () => new Error('a part holds a line that it was not given'))) {
    yield JSON.parse(line) as ListedEntry;
  }
}

function sorted(entries: ListedEntry[]): ListedEntry[] {
  return entries.sort((a, b) => comparePaths(a.path, b.path));
}
