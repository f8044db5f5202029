/**
 * Diff: what is different between two archives, or between an archive and the install as it is now.
 *
 *     config:     keys against keys; values are never told
 *     workspace:  entries in path order against each other, by checksum          neither side is ever in memory
 *     datastore:  rows per table, counted in the dumps
 */

import { archiveSide } from './diff/archive-side.js';
import { compareWorkspaces } from './diff/compare.js';
import { compareKeys } from './diff/config-keys.js';
import { LiveSide } from './diff/live-side.js';
import type { Side } from './diff/side.js';
import type { DiffEvent, Difference, DiffOptions, DiffResult, PartDifferences } from './diff-options.js';
import { interrupted, throwIfAborted } from './errors.js';
import type { RestoreProgress } from './events.js';
import { defaultHome } from './install/index.js';
import { openArchive } from './opened-archive.js';
import { RESTORE_PARTS, type RestorePart } from './options.js';
import { keepPace } from './pace.js';
import { WorkerPool, workersOf } from './pool.js';
import { asReadError } from './scratch-error.js';

/**
 * Compares an archive with another one, or with an install. Differences are told as events, in the order config, workspace, datastore, the workspace's in
 * path order. Archives are believed what their SHA256SUMS say: `verify()` tells whether that is so.
 *
 * @throws SnapshotError, see {@link ErrorCode}
 */
export async function diff(options: DiffOptions): Promise<DiffResult> {
  throwIfAborted(options.signal);
  const run = new DiffRun(options, await WorkerPool.start(workersOf(options)));
  try {
    return await run.compare();
  } catch (error) {
    throw options.signal?.aborted ? interrupted() : asReadError(error);
  } finally {
    await run.close();
  }
}

/** A comparison under way, and what it holds. */
class DiffRun {
  readonly #options: DiffOptions;
  readonly #emit: (event: DiffEvent) => void;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #pool: WorkerPool;
  readonly #sides: Side[] = [];
  readonly #progress: RestoreProgress = { files: 0, bytes: 0, dumpBytes: 0, read: 0, size: 0 };
  #uncompared = 0;

  constructor(options: DiffOptions, pool: WorkerPool) {
    this.#options = options;
    this.#emit = (event) => options.onEvent?.(event);
    const { signal: stop } = this.#stop;
    this.#signal = options.signal === undefined ? stop : AbortSignal.any([options.signal, stop]);
    this.#pool = pool;
    this.#signal.addEventListener('abort', () => void this.#pool.destroy(), { once: true });
  }

  async compare(): Promise<DiffResult> {
    const started = performance.now();
    const parts = new Set<RestorePart>(this.#options.only ?? RESTORE_PARTS);
    const { to: other } = this.#options;
    const from = await this.#openArchive(this.#options.from);
    const to = other === null ? await this.#openInstall() : await this.#openArchive(other);
    for (const side of [from, to]) {
      if (side.isFull) continue;
      const message = `${side.name} keeps neither directories nor links, neither modes nor times: these are not compared`;
      this.#emit({ type: 'note', message });
    }
    const config = parts.has('config') ? await this.#compareConfig(from, to) : null;
    const workspace = parts.has('workspace') ? await this.#compareWorkspaces(from, to) : null;
    const datastore = parts.has('datastore') ? await this.#compareTables(from, to) : null;
    const differs = [config, workspace, datastore].some((part) => part !== null && count(part) > 0);
    return {
      from: from.name,
      to: to.name,
      live: other === null,
      manifests: { from: from.manifest, to: to.manifest },
      differs,
      config,
      workspace,
      datastore,
      uncompared: this.#uncompared,
      durationMs: performance.now() - started,
      workers: this.#pool.workers,
    };
  }

  /** Ends the workers, then closes what they read. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#pool.destroy();
    for (const side of this.#sides) await side.close();
  }

  async #openArchive(path: string) {
    const archive = await openArchive(path, this.#signal);
    this.#progress.size += archive.size;
    const onRead = (bytes: number) => {
      this.#progress.read += bytes;
      this.#report();
    };
    const side = archiveSide({ name: path, archive, pool: this.#pool, onRead, signal: this.#signal });
    this.#sides.push(side);
    if (archive.members === null) this.#emit({ type: 'phase', phase: 'read' });
    await side.load();
    return side;
  }

  async #openInstall(): Promise<LiveSide> {
    const { from, home, exclude = [], dsn, pgBin } = this.#options;
    return LiveSide.open({
      home: home ?? defaultHome(),
      exclude,
      dsn,
      pgBin,
      archive: from,
      pool: this.#pool,
      onWarning: (warning) => {
        if (warning.incomplete) this.#uncompared += 1;
        this.#emit({ type: 'warning', warning });
      },
      signal: this.#signal,
    });
  }

  async #compareConfig(from: Side, to: Side): Promise<PartDifferences> {
    const total = nothing();
    for (const file of ['config.yaml', 'setup.json'] as const) {
      const role = file === 'config.yaml' ? 'config' : 'setup';
      await this.#tell(compareKeys(file, from[role], to[role]), total);
    }
    return total;
  }

  async #compareWorkspaces(from: Side, to: Side): Promise<PartDifferences> {
    this.#emit({ type: 'phase', phase: 'workspace' });
    const total = nothing();
    let unknown = 0;
    for await (const compared of compareWorkspaces(from, to, this.#pool)) {
      throwIfAborted(this.#signal);
      this.#uncompared += compared.warnings.length + compared.unseen + compared.unknown;
      unknown += compared.unknown;
      for (const warning of compared.warnings) this.#emit({ type: 'warning', warning });
      await this.#tell(compared, total);
      this.#progress.files += compared.same + compared.differences.length;
      this.#report();
    }
    if (unknown > 0) {
      const which = unknown === 1 ? '1 hard link' : `${unknown} hard links`;
      this.#emit({ type: 'note', message: `the content of ${which} is not known, and was not compared` });
    }
    return total;
  }

  async #compareTables(from: Side, to: Side): Promise<PartDifferences> {
    this.#emit({ type: 'phase', phase: 'datastore' });
    const total = nothing();
    const [before, after] = [await from.rows(), await to.rows()];
    for (const table of new Set([...before.keys(), ...after.keys()])) {
      const [rowsFrom, rowsTo] = [before.get(table) ?? null, after.get(table) ?? null];
      const change = rowsFrom === null ? 'added' : rowsTo === null ? 'removed' : 'changed';
      if (rowsFrom === rowsTo) total.same += 1;
      else await this.#tell({ differences: [{ part: 'datastore', change, table, rowsFrom, rowsTo }], same: 0 }, total);
    }
    return total;
  }

  async #tell(found: { differences: Difference[]; same: number }, total: PartDifferences): Promise<void> {
    const { differences, same } = found;
    total.same += same;
    for (const difference of differences) {
      total[difference.change] += 1;
      this.#emit({ type: 'difference', difference });
    }
    await keepPace(this.#options.pace, this.#signal);
  }

  #report(): void {
    this.#emit({ type: 'progress', progress: { ...this.#progress } });
  }
}

function nothing(): PartDifferences {
  return { added: 0, removed: 0, changed: 0, same: 0 };
}

function count({ added, removed, changed }: PartDifferences): number {
  return added + removed + changed;
}
