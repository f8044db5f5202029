/**
 * Paths that one side of a comparison could not look into: what the other has there is not missing.
 */
import { dirname } from 'node:path';

/** More paths than these are not kept. */
const MANY = 65_536;

/** Paths of a workspace that could not be looked at: a directory that may not be read, an entry that has gone. What is there, or below, nobody knows. */
export class UnseenPaths {
  #paths = new Set<string>();

  /** @param path relative to the workspace; empty for the workspace itself */
  add(path: string): void {
    if (this.above(path) !== null) return;
    this.#paths.add(path);
    // Where there are too many, their directories count as unseen: a removal that is not told is better than one that is none.
    if (this.#paths.size > MANY) this.#paths = new Set(Array.from(this.#paths, parent));
  }

  /** The one of them that is this path, or a directory above it; null where there is none. */
  above(path: string): string | null {
    for (let at = path; ; at = parent(at)) {
      if (this.#paths.has(at)) return at;
      if (at === '') return null;
    }
  }
}

function parent(path: string): string {
  const above = dirname(path);
  return above === '.' ? '' : above;
}
