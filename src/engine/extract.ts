/**
 * Extract: some files or directories of an archive, without a restore, all of them or none.
 *
 *     find:   patterns → the members that hold what is wanted        by path order and the index; nothing else is read
 *     stage:  these → workers → private trees beside the target       as a restore does: nothing written through a link, every checksum compared
 *     place:  what is in the way is found, and refused or moved aside; renames, journalled, undone on failure
 */
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  ChecksumLedger,
  clearStaleTemporaries,
  createdAt,
  ENTRY,
  quoted,
  removeTree,
  temporaryName,
} from './archive/index.js';
import { commit, inodeOf, resume, unused } from './commit.js';
import { interrupted, SnapshotError, systemErrorText, throwIfAborted } from './errors.js';
import { Extraction } from './extraction.js';
import { lockInstall } from './install-lock.js';
import { type Journal, type Rename, readJournal } from './journal.js';
import { requireOfExtraction } from './journal-bounds.js';
import { type OpenedArchive, openArchive } from './opened-archive.js';
import { giveTo, MadeDirectories, ownerOf } from './ownership.js';
import { WorkerPool, workersOf } from './pool.js';
import { syncFileSystem } from './system-tools.js';
import { chooseRuns } from './take/chosen-runs.js';
import { asExtractError } from './take/extract-error.js';
import { findGround, type Ground } from './take/ground.js';
import { type Asked, readPatterns } from './take/patterns.js';
import { type Placement, Placing } from './take/placing.js';
import type { ExtractEvent, ExtractOptions, ExtractResult } from './take-options.js';
import { DeferredEntries, StagingTree } from './workspace/index.js';

/**
 * Extracts files and directories.
 *
 * @throws SnapshotError, see {@link ErrorCode}; then the target is as it was, but for `RECOVERY_FAILED`
 */
export async function extract(options: ExtractOptions): Promise<ExtractResult> {
  const started = performance.now();
  throwIfAborted(options.signal);
  const asked = readPatterns(options.patterns);
  const ground = await findGround(options.to);
  const made = new MadeDirectories(await ownerOf(ground.to));
  let unlock = async () => {};
  let run: ExtractRun | null = null;
  try {
    const pool = await WorkerPool.start(workersOf(options));
    run = new ExtractRun({ options, asked, ground, made, pool });
    if (options.dryRun === true) await run.sayUnfinished();
    else {
      await made.make(ground.directory);
      unlock = await lockInstall(ground.site, 'extract');
      await run.recover();
    }
    await run.open();
    const result = await run.extract();
    return { ...result, durationMs: performance.now() - started };
  } catch (error) {
    throw options.signal?.aborted && run?.committing !== true ? interrupted() : asExtractError(error, ground.to);
  } finally {
    await run?.close();
    await unlock();
    if (run?.isDone !== true) await made.removeEmpty();
  }
}

interface RunContext {
  options: ExtractOptions;
  asked: Asked;
  ground: Ground;
  made: MadeDirectories;
  pool: WorkerPool;
}

/** The staging trees: of the workspace, and of files beside it. */
interface Trees {
  staging: string;
  workspace: string;
  beside: string;
}

/** What to do once nothing stands in the way of one that was broken off. */
const GOING_ON = 'extract to the same directory again: it goes on where this one stopped';

/** As many paths are told. */
const PATHS_TOLD = 1000;

/** An extraction under way: what it holds, and has to give back. */
class ExtractRun {
  /** Whether the moves have begun. */
  committing = false;
  isDone = false;
  readonly #context: RunContext;
  readonly #emit: (event: ExtractEvent) => void;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #pool: WorkerPool;
  #archive: OpenedArchive | null = null;
  #extraction: Extraction | null = null;
  /** The staging directory, as long as it is ours to remove. */
  #staging: string | null = null;

  constructor(context: RunContext) {
    const { options } = context;
    this.#context = context;
    this.#emit = (event) => options.onEvent?.(event);
    const { signal: stop } = this.#stop;
    this.#signal = options.signal === undefined ? stop : AbortSignal.any([options.signal, stop]);
    this.#pool = context.pool;
    this.#signal.addEventListener('abort', () => void this.#pool.destroy(), { once: true });
  }

  /** Undoes an extraction to this place that was broken off while it moved, and removes what killed ones have left. */
  async recover(): Promise<void> {
    const journal = await this.#journal();
    if (journal !== null) {
      const { outcome, leftOver } = await resume(this.#site, journal);
      this.#note(`an earlier extraction that was broken off was ${outcome} first`);
      if (leftOver !== null) this.#note(leftOver.message);
    }
    await clearStaleTemporaries(this.#context.ground.directory);
  }

  /** The same for a dry run, which only says so. */
  async sayUnfinished(): Promise<void> {
    if ((await this.#journal()) === null) return;
    this.#note('an earlier extraction to this directory was broken off; the next one that is meant undoes it first');
  }

  async open(): Promise<void> {
    this.#emit({ type: 'phase', phase: 'find' });
    this.#archive = await openArchive(this.#context.options.archive, this.#signal);
  }

  async extract(): Promise<Omit<ExtractResult, 'durationMs'>> {
    const { options, asked, ground } = this.#context;
    const archive = this.#opened();
    const chosen = await chooseRuns(archive, asked.patterns, this.#signal);
    if (chosen.note !== null) this.#note(chosen.note);
    this.#emit({ type: 'phase', phase: 'stage' });
    const trees = options.dryRun === true ? null : await this.#stagingTrees();
    const ledger = new ChecksumLedger(trees?.staging ?? tmpdir());
    const deferred = new DeferredEntries(trees?.staging ?? tmpdir());
    try {
      const extraction = new Extraction({
        archive,
        pool: this.#pool,
        root: trees?.workspace ?? null,
        ledger,
        deferred,
        only: { patterns: asked.patterns, beside: trees?.beside ?? null, runs: chosen.runs },
        onDump: async () => {},
        onProgress: (progress) => this.#emit({ type: 'progress', progress }),
        signal: this.#signal,
      });
      this.#extraction = extraction;
      await extraction.run();
      this.#requireAllMet(extraction.met);
      const placements = await this.#placements(trees, ledger, deferred, extraction.met);
      const replaced = trees === null ? dryReplaced(placements) : await this.#place(trees, placements, deferred);
      const made = placements.filter(({ replaces }) => !replaces).map(({ to }) => to);
      const { files, bytes, read } = extraction.progress;
      const { directories, links } = deferred;
      this.isDone = trees !== null;
      return {
        dryRun: trees === null,
        archive: typeof options.archive === 'string' ? options.archive : null,
        manifest: archive.manifest,
        to: ground.to,
        files,
        directories,
        links,
        bytes,
        made: made.slice(0, PATHS_TOLD),
        madeCount: made.length,
        replaced,
        checksums: ledger.hasList,
        bytesRead: chosen.bytesRead + read,
        size: archive.size,
        workers: this.#pool.workers,
      };
    } finally {
      ledger.close();
      deferred.close();
    }
  }

  /** Gives everything back; what was staged and not moved is removed. Never throws: what fails here is told. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#pool.destroy();
    this.#extraction?.close();
    if (this.#staging !== null) {
      await removeTree(this.#staging).catch((error: unknown) => this.#note(systemErrorText(error)));
    }
    await this.#archive?.handle.close();
  }

  get #site() {
    return { home: `${this.#context.ground.site}.extract`, cluster: null, goingOn: GOING_ON };
  }

  /** The journal of an extraction to this place that was broken off. @throws RECOVERY_FAILED where it is something else */
  async #journal(): Promise<Journal | null> {
    const journal = await readJournal(this.#site.home);
    if (journal !== null) await requireOfExtraction(this.#site.home, this.#context.ground, journal);
    return journal;
  }

  #note(message: string): void {
    this.#emit({ type: 'note', message });
  }

  #opened(): OpenedArchive {
    if (this.#archive === null) throw new Error('open() comes first');
    return this.#archive;
  }

  /** A private directory that a rename leads out of into the target, and two trees in it. */
  async #stagingTrees(): Promise<Trees> {
    const { directory, to } = this.#context.ground;
    const staging = join(directory, temporaryName(basename(to)));
    this.#staging = staging;
    const trees = { staging, workspace: join(staging, 'workspace'), beside: join(staging, 'beside') };
    await mkdir(staging, { mode: 0o700 });
    await mkdir(trees.workspace);
    await mkdir(trees.beside);
    return trees;
  }

  #requireAllMet(met: ReadonlySet<string>): void {
    const { asked, options } = this.#context;
    const missing = options.patterns.filter((_, index) => !met.has(asked.patterns[index] ?? ''));
    if (missing.length === 0) return;
    const more = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
    const names = missing.slice(0, 5).map(quoted).join(', ');
    throw new SnapshotError('ENTRY_NOT_FOUND', `there is nothing in the archive for ${names}${more}`, {
      hint: 'leoflow lite list says what is in it; nothing was changed',
    });
  }

  /** What is to be moved, of all that came out of the archive. @throws TARGET_EXISTS */
  async #placements(
    trees: Trees | null,
    ledger: ChecksumLedger,
    deferred: DeferredEntries,
    met: ReadonlySet<string>,
  ): Promise<Placement[]> {
    const { ground, asked, options } = this.#context;
    const placing = new Placing(ground.to, options.force === true);
    const workspace = {
      tree: trees?.workspace ?? '/workspace',
      base: asked.asInArchive ? join(ground.to, 'workspace') : ground.to,
    };
    const beside = { tree: trees?.beside ?? '/beside', base: ground.to };
    for (const { directories, links } of deferred.read()) {
      for (const { path } of directories) await placing.add({ ...workspace, path, isDirectory: true });
      for (const { path } of links) await placing.add({ ...workspace, path, isDirectory: false });
    }
    for await (const name of ledger.foundNames(this.#signal)) {
      const isInside = name.startsWith(ENTRY.workspace);
      const path = isInside ? name.slice(ENTRY.workspace.length) : name;
      await placing.add({ ...(isInside ? workspace : beside), path, isDirectory: false });
    }
    // The list does not list itself.
    if (met.has(ENTRY.checksums)) await placing.add({ ...beside, path: ENTRY.checksums, isDirectory: false });
    placing.end();
    return placing.placements;
  }

  /** Completes what was staged, and moves it. @returns what was replaced */
  async #place(
    { staging, workspace, beside }: Trees,
    placements: readonly Placement[],
    deferred: DeferredEntries,
  ): Promise<ExtractResult['replaced']> {
    const { ground, made } = this.#context;
    deferred.apply(new StagingTree(workspace));
    const owner = await ownerOf(ground.to);
    for (const tree of [workspace, beside]) await giveTo(owner, tree);
    await syncFileSystem(staging);
    throwIfAborted(this.#signal);
    this.#emit({ type: 'phase', phase: 'place' });
    this.committing = true;
    await made.make(ground.to);
    const started = new Date();
    const suffix = `.before-extract-${createdAt(started).replaceAll(':', '')}`;
    const replaced: ExtractResult['replaced'] = [];
    const renames: Rename[] = [];
    for (const { from, to, replaces } of placements) {
      const there = replaces ? await inodeOf(to) : null;
      if (there !== null) {
        const where = await unused(to + suffix);
        renames.push({ from: to, to: where, inode: there });
        replaced.push({ what: to, where });
      }
      renames.push({ from, to, inode: (await inodeOf(from)) ?? '' });
    }
    const journal: Journal = {
      ...{ version: 1, started: started.toISOString(), state: 'committing' },
      ...{ renames, carried: [], databases: null, transaction: null, datastore: null },
      ...{ temporary: [staging], discard: { paths: [], databases: [] } },
    };
    try {
      this.#staging = null;
      const leftOver = await commit(this.#site, journal, { endSessions: false });
      if (leftOver !== null) this.#note(`everything is in place, but ${leftOver.message}`);
    } catch (error) {
      if (!(error instanceof SnapshotError && error.code === 'RECOVERY_FAILED')) this.#staging = staging;
      throw error;
    }
    return replaced;
  }
}

function dryReplaced(placements: readonly Placement[]): ExtractResult['replaced'] {
  return placements.flatMap(({ to, replaces }) => (replaces ? [{ what: to, where: to }] : []));
}
