/**
 * Removing trees without slowing down who comes next: they are moved aside, and removed when the bench is over, or when room becomes scarce.
 *
 * ext4 gives the inodes of removed files to nobody for some minutes, and looks at each of them whenever a file is made: after the removal of many
 * files making new ones takes up to ten times as long. A restore that follows the removal of another's result would measure that.
 *
 * In memory it is the other way round, and they are removed at once: a virtual machine gets pages that it has never used only from its host, which takes
 * longer than to fill them.
 */
import { mkdirSync, renameSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './measure/run.mjs';

/** What `statfs` says of a tmpfs. */
const TMPFS = 0x01021994;

/** Takes what nobody needs any more. */
export class Discard {
  #directory;
  #roomBytes;
  #taken = 0;

  /**
   * @param {string} scratch on the same file system as all that is discarded
   * @param {number} roomBytes that must stay free
   */
  constructor(scratch, roomBytes) {
    this.#directory = join(scratch, 'discarded');
    this.#roomBytes = roomBytes;
  }

  /** @param {string} path a file or a directory; it need not exist @param {AbortSignal} signal */
  async take(path, signal) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (!stats.isDirectory() || statfsSync(path).type === TMPFS) return remove(path, signal);
    mkdirSync(this.#directory, { recursive: true });
    renameSync(path, join(this.#directory, String(this.#taken)));
    this.#taken += 1;
    const { bavail, bsize } = statfsSync(this.#directory);
    if (bavail * bsize < this.#roomBytes) await remove(this.#directory, signal);
  }
}

/** @param {string} path @param {AbortSignal} signal */
async function remove(path, signal) {
  await run({ line: 'rm -rf "$GONE"', env: { GONE: path }, signal });
}
