/**
 * Hard links in an archive of another tar: their content stands with another entry, whose size and checksum are theirs.
 *
 *     entries, by their paths ────────────────┐
 *     hard links, by the paths they point to ─┴─▶ sorted ─▶ links behind what they point to ─▶ all of them, by their own paths
 *
 * Only an archive that has some is sorted twice.
 */
import { tmpdir } from 'node:os';
import { type ListedEntry, SortedEntries } from '../workspace/index.js';

/** A hard link, at the path of the workspace that it points to. */
interface HardLink {
  path: string;
  link: ListedEntry;
}

/** Takes the entries of a workspace in any order, and gives them back in path order, hard links with what is known of their content. */
export class EntriesWithHardLinks {
  readonly #placed = new SortedEntries<ListedEntry | HardLink>(tmpdir(), (one) => ('link' in one ? 1 : 0));
  #resolved: SortedEntries<ListedEntry> | null = null;

  add(entry: ListedEntry): void {
    this.#placed.add(entry);
  }

  /** @param target relative to the workspace, as the link is */
  addHardLink(link: ListedEntry, target: string): void {
    this.#resolved ??= new SortedEntries(tmpdir());
    this.#placed.add({ path: target, link });
  }

  /** All entries. Nothing may be added any more. @throws INTERRUPTED */
  async *read(signal: AbortSignal): AsyncGenerator<ListedEntry> {
    const resolved = this.#resolved;
    let last: ListedEntry | null = null;
    for await (const one of this.#placed.read(signal)) {
      if (!('link' in one)) {
        last = one;
        if (resolved === null) yield one;
        else resolved.add(one);
        continue;
      }
      const file = last?.path === one.path && last.kind === 'file' ? last : null;
      resolved?.add({ ...one.link, size: file?.size ?? null, sha256: file?.sha256 ?? null });
    }
    if (resolved !== null) yield* resolved.read(signal);
  }

  close(): void {
    this.#placed.close();
    this.#resolved?.close();
  }
}
