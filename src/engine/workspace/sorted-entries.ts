/**
 * Entries in path order, from an archive that has them in another: sorted in parts that the memory takes, which are merged.
 */
import { comparePaths, Lines } from '../archive/index.js';

/** Entries that are sorted in memory at once. */
const PART_ENTRIES = 1 << 14;
/** A line of a part: a path of PATH_MAX bytes and a target, all of it escaped. */
const LONGEST_LINE = 128 << 10;

/** Takes entries in any order, gives them back in path order. */
export class SortedEntries<T extends { path: string }> {
  readonly #directory: string;
  readonly #compare: (a: T, b: T) => number;
  readonly #parts: Lines[] = [];
  #entries: T[] = [];
  /** The last one in the last part. */
  #last: T | null = null;

  /**
   * @param directory private, with room for a line per entry
   * @param rank orders those of the same path, the least first
   */
  constructor(directory: string, rank: (entry: T) => number = () => 0) {
    this.#directory = directory;
    this.#compare = (a, b) => comparePaths(a.path, b.path) || rank(a) - rank(b);
  }

  add(entry: T): void {
    this.#entries.push(entry);
    if (this.#entries.length >= PART_ENTRIES) this.#spill();
  }

  /** All entries. Nothing may be added any more. @throws INTERRUPTED */
  async *read(signal: AbortSignal): AsyncGenerator<T> {
    if (this.#parts.length === 0) {
      yield* this.#entries.sort(this.#compare);
      return;
    }
    this.#spill();
    /** By their next entries, the least last. */
    const sources: Source<T>[] = [];
    for (const part of this.#parts) await this.#place(entriesOf<T>(part, signal), sources);
    for (let least = sources.pop(); least !== undefined; least = sources.pop()) {
      yield least.entry;
      await this.#place(least.rest, sources);
    }
  }

  close(): void {
    for (const part of this.#parts) part.close();
  }

  /** Puts a part to its place among the others, by its next entry; one that is at its end to none. */
  async #place(rest: AsyncGenerator<T>, sources: Source<T>[]): Promise<void> {
    const { value, done } = await rest.next();
    if (done === true) return;
    let [from, to] = [0, sources.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#compare((sources[middle] as Source<T>).entry, value) > 0) from = middle + 1;
      else to = middle;
    }
    sources.splice(from, 0, { entry: value, rest });
  }

  /** Writes the entries in memory to a part: the last one, where they go on from it, as those of most archives do. */
  #spill(): void {
    const entries = this.#entries.sort(this.#compare);
    this.#entries = [];
    const [first, last] = [entries.at(0), entries.at(-1)];
    if (first === undefined || last === undefined) return;
    if (this.#last === null || this.#compare(this.#last, first) >= 0) this.#parts.push(new Lines(this.#directory));
    this.#last = last;
    const part = this.#parts.at(-1);
    for (const entry of entries) part?.add(`${JSON.stringify(entry)}\n`);
    part?.flush();
  }
}

/** What is left of a part, behind its next entry. */
interface Source<T> {
  entry: T;
  rest: AsyncGenerator<T>;
}

async function* entriesOf<T>(part: Lines, signal: AbortSignal): AsyncGenerator<T> {
  const tooLong = () => new Error('a part holds a line that it was not given');
  for await (const line of part.read(LONGEST_LINE, tooLong, signal)) {
    yield JSON.parse(line) as T;
  }
}
