/**
 * Finding the members that hold something, in an archive of ours, by what it is: in path order.
 *
 * What begins in a member tells where a path must be, as the first word of a page does in a dictionary. So a handful of members are peeked at, and not
 * one is inflated that cannot hold what is looked for. Nothing that the archive claims of itself is believed on the way: the entries in the member decide.
 */
import { comparePaths, damaged, type Member, placeOfEntry, type TarHeader } from '../archive/index.js';
import { type Run, runAt } from '../member-runs.js';
import { firstHeaderOf } from '../opened-archive.js';
import { isBelow } from '../workspace/index.js';

/** Where a member begins: before the workspace, in it, or behind it. */
type Beginning = { at: 'before' } | { at: 'workspace'; path: string } | { at: 'behind' };

export class MemberSearch {
  /** Bytes of the archive that were read for peeks. */
  bytesRead = 0;
  readonly #fd: number;
  readonly #members: readonly Member[];
  /** Indices of the members that do not go on with the file of the one before. */
  readonly #starts: number[];
  readonly #beginnings = new Map<number, Beginning>();

  /** @param fd the archive; open for as long as this is used */
  constructor(fd: number, members: readonly Member[]) {
    this.#fd = fd;
    this.#members = members;
    this.#starts = members.flatMap(({ kind }, index) => (kind === 'continuation' ? [] : [index]));
    if (members[0]?.kind === 'continuation') throw damaged('its first member continues no file');
  }

  /** The runs that can hold a path of the workspace or anything below it, in their order. */
  *below(path: string): Generator<Run> {
    const end = this.#count((beginning) => {
      if (beginning.at !== 'workspace') return beginning.at === 'before';
      return path === '' || comparePaths(beginning.path, path) <= 0 || isBelow(beginning.path, path);
    });
    // The last one that begins no later than the path can hold it; so can those behind, as long as what they begin with lies below.
    for (let start = this.#last(path); start < end; start += 1) yield this.#run(start);
  }

  /** The only run that can hold a path of the workspace. */
  holding(path: string): Run {
    return this.#run(this.#last(path));
  }

  /** The runs in which something else than the workspace can be: the first ones, and those behind it. */
  *outside(): Generator<Run> {
    const end = this.#firstBehind();
    for (let start = 0; start < end; start += 1) {
      // The workspace may begin in the middle of this one.
      if (this.#beginning(start).at !== 'before') break;
      yield this.#run(start);
    }
    // And end in the middle of this one, where it is a block.
    const last = this.#members[this.#starts[end - 1] ?? 0];
    if (last?.kind === 'entries' && this.#beginning(end - 1).at === 'workspace') yield this.#run(end - 1);
    for (let start = end; start < this.#starts.length; start += 1) yield this.#run(start);
  }

  #run(start: number): Run {
    const index = this.#starts[start] as number;
    const { run, read } = runAt(this.#fd, this.#members, index);
    this.bytesRead += read;
    return run;
  }

  /** The last start that begins no later than a path of the workspace; the first one where all do. */
  #last(path: string): number {
    return Math.max(
      0,
      this.#count((beginning) => {
        if (beginning.at === 'workspace') return comparePaths(beginning.path, path) <= 0;
        return beginning.at === 'before';
      }) - 1,
    );
  }

  #firstBehind(): number {
    return this.#count(({ at }) => at !== 'behind');
  }

  /** How many of the starts, from the first one on, something is true of. */
  #count(isTrue: (beginning: Beginning) => boolean): number {
    let [from, to] = [0, this.#starts.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (isTrue(this.#beginning(middle))) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #beginning(start: number): Beginning {
    const known = this.#beginnings.get(start);
    if (known !== undefined) return known;
    const member = this.#members[this.#starts[start] as number] as Member;
    const { header, read } = firstHeaderOf(this.#fd, member);
    this.bytesRead += read;
    const beginning = beginningOf(header, start === 0);
    this.#beginnings.set(start, beginning);
    return beginning;
  }
}

/** @param isFirst whether this is the first member, which only the workspace itself can keep from being before it */
function beginningOf(header: TarHeader | null, isFirst: boolean): Beginning {
  if (header === null) return { at: isFirst ? 'before' : 'behind' };
  const place = placeOfEntry(header);
  if (place.type === 'workspace') return { at: 'workspace', path: place.path };
  const isBefore = isFirst || (place.type === 'known' && ['manifest', 'config', 'setup'].includes(place.role));
  return { at: isBefore ? 'before' : 'behind' };
}
