/**
 * Scanning: what is in the workspace, a shard at a time, in a worker.
 *
 * A shard is a directory with what lies below it, as far as the task's budget of names goes: directories that it does not reach come
 * back as shards of their own. A directory of more names than a page comes back as pages. So however the tree is shaped, many workers have
 * something to do, and no answer is large.
 */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isNameTooLong, pathOrder } from '../archive/index.js';
import { systemErrorCode, systemErrorText } from '../errors.js';
import type { Warning } from '../events.js';
import { type EntryRow, tableOf } from './entry-table.js';
import { Exclusion, IGNORE_FILE, type IgnoreChain } from './exclusion.js';
import { globTree } from './glob.js';
import { ignoresIn } from './ignore-files.js';
import { type Listing, PAGE_NAMES, type ScanResult, type ScanTask, type Shard } from './shard.js';

/** Names after which a task enters no further directory. */
const TASK_NAMES = 4096;

/** Scans shards, until the budget is used up. */
export function scanShards(task: ScanTask): ScanResult {
  const scan = new Scan(task.root, new Exclusion(task.rules));
  const listings = task.shards.map((shard) => scan.shard(shard));
  return {
    listings,
    leftOut: Array.from(scan.leftOut, ([rule, { directories, files }]) => [rule, directories, files]),
    warnings: scan.warnings,
  };
}

class Scan {
  readonly leftOut = new Map<string, { directories: number; files: number }>();
  readonly warnings: Warning[] = [];
  readonly #root: string;
  readonly #exclusion: Exclusion;
  #names = 0;

  constructor(root: string, exclusion: Exclusion) {
    this.#root = root;
    this.#exclusion = exclusion;
  }

  shard(shard: Shard): Listing {
    if (this.#names >= TASK_NAMES) return { type: 'shards', shards: [shard] };
    const rows = new Map<string, EntryRow>();
    const open = new Map<string, Shard[]>();
    const chains = new Map<string, IgnoreChain | null>([[shard.directory, shard.ignores]]);
    const full = (below: string) =>
      shard.directory === '' ? below : below === '' ? shard.directory : `${shard.directory}/${below}`;

    const found = globTree({
      names: (below) => {
        const directory = full(below);
        const above = chains.get(parent(directory)) ?? (directory === shard.directory ? shard.ignores : null);
        if (below === '' && shard.names !== null) {
          this.#names += shard.names.length;
          return shard.names;
        }
        if (below !== '' && this.#names >= TASK_NAMES) {
          open.set(directory, [{ directory, names: null, ignores: above }]);
          return [];
        }
        const names = this.#readDirectory(directory);
        const chain = names.includes(IGNORE_FILE) ? this.#ignoresIn(directory, above) : above;
        if (names.length > PAGE_NAMES) {
          open.set(directory, pages(directory, names, chain));
          return [];
        }
        this.#names += names.length;
        chains.set(directory, chain);
        // Network file systems can list a name twice while others come and go.
        return [...new Set(names)];
      },
      look: (below) => {
        const path = full(below);
        const ignores = chains.get(parent(path)) ?? null;
        const stats = this.#stat(path, ignores);
        if (stats === null) return null;
        const rule = this.#exclusion.judge(path, stats.isDirectory(), ignores);
        if (rule !== null) {
          this.#count(rule, stats.isDirectory());
          return null;
        }
        if (isNameTooLong(path)) {
          this.#warn('unreadable', path, 'its name has more than 255 bytes, which no restore takes, it is left out');
          return null;
        }
        const kind = stats.isFile()
          ? 'file'
          : stats.isDirectory()
            ? 'directory'
            : stats.isSymbolicLink()
              ? 'symlink'
              : null;
        if (kind === null) {
          this.#warn('special-file', path, `a ${specialType(stats)} is not archived`, false);
          return null;
        }
        rows.set(path, {
          path,
          kind,
          mode: Number(stats.mode) & 0o7777,
          size: kind === 'directory' ? 0 : Number(stats.size),
          mtimeNs: stats.mtimeNs,
        });
        return stats;
      },
    });

    const own = open.get(shard.directory);
    if (own !== undefined) return { type: 'shards', shards: own };
    const paths = found.map(full);
    const sorted = pathOrder(paths).map((index) => paths[index] as string);
    return {
      type: 'entries',
      table: tableOf(sorted.map((path) => rows.get(path) as EntryRow)),
      open: sorted.flatMap((path, row) => {
        const shards = open.get(path);
        return shards === undefined ? [] : [{ row, shards }];
      }),
    };
  }

  #readDirectory(directory: string): string[] {
    const path = join(this.#root, directory);
    try {
      const names = readdirSync(path);
      if (!names.some((name) => name.includes('\ufffd'))) return names;
      // A replacement character: in the name itself, or in place of bytes that are not UTF-8.
      return readdirSync(path, { encoding: 'buffer' }).flatMap((bytes) => {
        const name = bytes.toString();
        if (Buffer.from(name).equals(bytes)) return [name];
        this.#warn(
          'not-utf8',
          `${directory === '' ? '' : `${directory}/`}${escapeBytes(bytes)}`,
          'its name is not UTF-8, it is left out',
        );
        return [];
      });
    } catch (error) {
      this.#missing(directory, error);
      return [];
    }
  }

  #stat(path: string, ignores: IgnoreChain | null): BigIntStats | null {
    try {
      return lstatSync(join(this.#root, path), { bigint: true });
    } catch (error) {
      if (!this.#leavesOutUnseen(path, ignores, error)) this.#missing(path, error);
      return null;
    }
  }

  /** Whether a rule leaves out what cannot be looked at, a `__pycache__` that comes and goes, a mount that hangs: it is counted, and not missing. */
  #leavesOutUnseen(path: string, ignores: IgnoreChain | null, error: unknown): boolean {
    const [asDirectory, asOther] = [true, false].map((directory) => this.#exclusion.judge(path, directory, ignores));
    let directory: boolean | null = asDirectory !== null;
    // What has gone was one or the other. Of what is there its directory knows: a file that is called `venv` is left out by no rule.
    if (systemErrorCode(error) !== 'ENOENT' && (asDirectory === null) !== (asOther === null))
      directory = this.#isListedAsDirectory(path);
    const rule = (directory ? asDirectory : asOther) ?? null;
    if (directory === null || rule === null) return false;
    this.#count(rule, directory);
    return true;
  }

  /** Whether a path is a directory, as the one that it is in lists it; null where that does not say. */
  #isListedAsDirectory(path: string): boolean | null {
    try {
      const listed = readdirSync(join(this.#root, parent(path)), { withFileTypes: true });
      return listed.find(({ name }) => name === basename(path))?.isDirectory() ?? null;
    } catch {
      return null;
    }
  }

  #ignoresIn(directory: string, above: IgnoreChain | null): IgnoreChain | null {
    return ignoresIn(this.#root, directory, above, (what) => {
      this.#warn(
        'ignore-file',
        join(directory, IGNORE_FILE),
        `it is ${what}, so nothing is left out because of it`,
        false,
      );
    });
  }

  #missing(path: string, error: unknown): void {
    if (systemErrorCode(error) === 'ENOENT') this.#warn('vanished', path, 'it vanished before it could be read');
    else this.#warn('unreadable', path, `it cannot be read: ${systemErrorText(error)}`);
  }

  #warn(code: Warning['code'], path: string, message: string, incomplete = true): void {
    this.warnings.push({ code, path: join(this.#root, path), message, incomplete });
  }

  #count(rule: string, directory: boolean): void {
    const count = this.leftOut.get(rule) ?? { directories: 0, files: 0 };
    if (directory) count.directories += 1;
    else count.files += 1;
    this.leftOut.set(rule, count);
  }
}

function pages(directory: string, names: readonly string[], ignores: IgnoreChain | null): Shard[] {
  const sorted: string[] = [];
  for (const index of pathOrder(names)) {
    const name = names[index] as string;
    // Listed twice, too.
    if (name !== sorted.at(-1)) sorted.push(name);
  }
  return Array.from({ length: Math.ceil(sorted.length / PAGE_NAMES) }, (_, page) => ({
    directory,
    names: sorted.slice(page * PAGE_NAMES, (page + 1) * PAGE_NAMES),
    ignores,
  }));
}

function parent(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

function specialType(stats: BigIntStats): string {
  if (stats.isSocket()) return 'socket';
  if (stats.isFIFO()) return 'FIFO';
  return 'device';
}

/** A name as a person can read it, bytes that are not ASCII as `\xNN`. */
function escapeBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte < 0x20 || byte > 0x7e ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte),
  ).join('');
}
