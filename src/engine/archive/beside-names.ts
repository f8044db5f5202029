/**
 * The names of what stands beside the workspace. Of two entries with one name, another tar leaves whichever it comes to last.
 */

import { quoted } from './entry-place.js';
import { ENTRY } from './names.js';
import { damaged } from './tar-reader.js';

/** There are a handful; more than this nobody has, and they are held in memory. */
export const MAX_BESIDE_NAMES = 10_000;
const KNOWN: ReadonlySet<string> = new Set(Object.values(ENTRY));

/** Takes each name once. */
export class BesideNames {
  readonly #names = new Set<string>();

  /** @param name without a slash at its end @throws ARCHIVE_DAMAGED where it has come before, or too many have */
  add(name: string): void {
    if (this.#names.has(name)) throw damaged(`there is more than one ${KNOWN.has(name) ? name : quoted(name)} in it`);
    if (this.#names.size === MAX_BESIDE_NAMES)
      throw damaged(`there are more than ${MAX_BESIDE_NAMES} entries beside the workspace in it`);
    this.#names.add(name);
  }
}
