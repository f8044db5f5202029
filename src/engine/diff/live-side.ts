/**
 * An install as it is now, as one side of a comparison: seen through the same rules as a backup would, and its datastore through the same pg_dump, so that what
 * a backup would leave out makes no difference.
 */
import { relative, resolve } from 'node:path';
import { openDatastore, RowCounter, startDump } from '../datastore/index.js';
import { SnapshotError } from '../errors.js';
import type { Warning } from '../events.js';
import { type Install, readInstall } from '../install/index.js';
import { neverArchived } from '../never-archived.js';
import type { WorkerPool } from '../pool.js';
import {
  type EntryTable,
  type ExclusionRules,
  type ListedEntry,
  rowsOf,
  WorkspaceWalk,
  wholeSeconds,
} from '../workspace/index.js';
import type { Side } from './side.js';
import { UnseenPaths } from './unseen-paths.js';

export interface LiveSideOptions {
  home: string;
  exclude: readonly string[];
  dsn?: string | undefined;
  pgBin?: string | undefined;
  /** An archive that may lie in the workspace. */
  archive: string;
  pool: WorkerPool;
  onWarning(warning: Warning): void;
  signal: AbortSignal;
}

/** Of what the walk warns, what leaves open whether something is there. */
const UNSEEN: readonly Warning['code'][] = ['unreadable', 'vanished'];

/** The side that an install is. */
export class LiveSide implements Side {
  readonly manifest = null;
  readonly isFull = true;
  readonly #install: Install;
  readonly #rules: ExclusionRules;
  readonly #options: LiveSideOptions;
  readonly #unseen = new UnseenPaths();

  private constructor(install: Install, rules: ExclusionRules, options: LiveSideOptions) {
    this.#install = install;
    this.#rules = rules;
    this.#options = options;
  }

  /** @throws HOME_NOT_FOUND, CONFIG_*, WORKSPACE_* */
  static async open(options: LiveSideOptions): Promise<LiveSide> {
    const install = await readInstall(options.home);
    const paths = await neverArchived(install, [resolve(options.archive)]);
    return new LiveSide(install, { patterns: options.exclude, paths }, options);
  }

  get name(): string {
    return this.#install.home;
  }

  get config(): Buffer {
    return this.#install.config.content;
  }

  get setup(): Buffer | null {
    return this.#install.setup?.content ?? null;
  }

  get root(): string {
    return this.#install.workspace;
  }

  async *entries(): AsyncGenerator<ListedEntry[]> {
    const { pool, onWarning } = this.#options;
    const walk = new WorkspaceWalk({
      root: this.root,
      rules: this.#rules,
      scan: (task) => pool.run('scan', task),
      concurrency: pool.workers,
      onWarning: (warning) => {
        if (UNSEEN.includes(warning.code)) this.#unseen.add(relative(this.root, warning.path));
        onWarning(warning);
      },
    });
    for await (const table of walk.entries()) yield listedRows(table);
  }

  unseen(path: string): string | null {
    return this.#unseen.above(path);
  }

  /** @throws DATASTORE_*, DUMP_FAILED, TOOL_* */
  async rows(): Promise<ReadonlyMap<string, number>> {
    const { dsn, pgBin, signal } = this.#options;
    const datastore = await openDatastore({ home: this.#install.home, dsn, pgBin, signal }).catch(explain);
    const { stdout, finished } = startDump(datastore, signal);
    const counter = new RowCounter();
    try {
      for await (const chunk of stdout) counter.push(chunk as Buffer);
    } catch (error) {
      // A stream that broke off is best explained by pg_dump.
      await finished;
      throw error;
    }
    await finished;
    return counter.tables;
  }

  async close(): Promise<void> {}
}

function listedRows(table: EntryTable): ListedEntry[] {
  return Array.from(rowsOf(table), ({ path, kind, mode, size, mtimeNs }) => ({
    path,
    kind,
    mode,
    mtime: wholeSeconds(mtimeNs),
    size: kind === 'file' ? size : null,
    sha256: null,
    target: null,
  }));
}

function explain(error: unknown): never {
  if (!(error instanceof SnapshotError) || error.code !== 'DATASTORE_UNREACHABLE') throw error;
  throw new SnapshotError(error.code, error.message, {
    hint: `${error.hint ?? 'start it'}; or compare the rest: --only workspace --only config`,
    cause: error.cause,
  });
}
