/**
 * Restore: an archive back into an install, all of it or nothing.
 *
 *     judge:   manifest, schema, install in the way, PostgreSQL, room       refusals; nothing is written
 *     stage:   at once:
 *                members → workers → a tree beside the workspace             nothing written through a link
 *                dump → psql, locked, as a role that can do nothing else     → a new database
 *              every checksum compared; links, modes and times last; all of it made durable
 *     commit:  renames, and one transaction that swaps the databases          journalled, undone on failure
 *     finish:  what was needed only meanwhile is removed
 *
 * See docs/restore.md.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import {
  ChecksumLedger,
  clearStaleTemporaries,
  createdAt,
  damaged,
  openPrivate,
  quoted,
  removeTree,
  temporaryName,
} from './archive/index.js';
import { findCarriedOver } from './carry-over.js';
import { commit, inodeOf, unused } from './commit.js';
import { incompleteOf } from './contents.js';
import {
  type ClusterLease,
  databaseExists,
  leaseCluster,
  previousName,
  replayInPlace,
  type StagedDatabase,
  type SwapNames,
  stageDatabase,
  stagedName,
  sweepStaged,
} from './datastore/index.js';
import { DumpSink } from './dump-sink.js';
import { interrupted, isNoRoom, SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from './errors.js';
import type { RestoreEvent } from './events.js';
import { Extraction } from './extraction.js';
import { defaultHome, type Relocation } from './install/index.js';
import { lockInstall, refuseIfLocked } from './install-lock.js';
import type { Journal, Move, Rename } from './journal.js';
import { datastoreOf, type Judgement, judge, type RestoreRequest, relocationOf } from './judgement.js';
import { type OpenedArchive, openArchive } from './opened-archive.js';
import { RESTORE_PARTS, type RestoreOptions, type RestorePart, type RestoreResult } from './options.js';
import { giveTo, MadeDirectories, type Owner, ownerOf } from './ownership.js';
import { WorkerPool, workersOf } from './pool.js';
import { mountsIn, requireStillFree, whyKept } from './previous-workspace.js';
import { datastoreSearch, recoverFirst, requireNothingUnfinished } from './recovery.js';
import { syncFileSystem } from './system-tools.js';
import { DeferredEntries, StagingTree } from './workspace/index.js';

/**
 * Restores an archive.
 *
 * @throws SnapshotError, see {@link ErrorCode}; then the install is as it was, but for `RECOVERY_FAILED`
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const started = performance.now();
  const workers = workersOf(options);
  const home = resolve(options.home ?? defaultHome());
  const parts = new Set<RestorePart>(options.only ?? RESTORE_PARTS);
  const emit = (event: RestoreEvent) => options.onEvent?.(event);
  throwIfAborted(options.signal);

  emit({ type: 'phase', phase: 'judge' });
  const owner = await ownerOf(home);
  const made = new MadeDirectories(owner);
  let unlock = async () => {};
  let run: RestoreRun | null = null;
  try {
    if (options.dryRun === true) {
      await refuseIfLocked(home);
      await requireNothingUnfinished(home);
    } else {
      await made.make(dirname(home));
      unlock = await lockInstall(home);
      const outcome = await recoverFirst(home, options, emit);
      if (outcome !== null) {
        emit({ type: 'note', message: `an earlier restore that was broken off in its commit was ${outcome} first` });
      }
    }
    const archive = await openArchive(options.input, options.signal ?? new AbortController().signal);
    const pool = await WorkerPool.start(workers).catch(async (error: unknown) => {
      await archive.handle.close();
      throw error;
    });
    run = new RestoreRun({ archive, pool, options, home, parts, owner, made, emit });
    const { request } = run;
    const judgement = await judge(archive, request);
    emit({ type: 'phase', phase: 'stage' });
    const staged = await run.stage(judgement);
    throwIfAborted(request.signal);
    if (options.dryRun !== true) {
      emit({ type: 'phase', phase: 'commit' });
      await run.commit(judgement, staged);
    }
    emit({ type: 'phase', phase: 'finish' });
    return run.result(judgement, staged, performance.now() - started);
  } catch (error) {
    // No signal stops a commit: whatever failed there failed by itself.
    throw options.signal?.aborted && run?.committing !== true ? interrupted() : asSnapshotError(error);
  } finally {
    await run?.close();
    await unlock();
    if (run?.handedOver !== true) await made.removeEmpty();
  }
}

/** What was staged, ready to take its place. */
interface Staged {
  relocation: Relocation;
  extraction: Extraction;
  /** How many paths the archive lacks; null where it does not say. */
  incomplete: number | null;
  directories: number;
  links: number;
  /** The new tree; null where none is restored. */
  tree: string | null;
  /** Staged config.yaml and setup.json, and their final paths. */
  files: Move[];
  database: StagedDatabase | null;
}

interface RunContext {
  archive: OpenedArchive;
  pool: WorkerPool;
  options: RestoreOptions;
  home: string;
  parts: ReadonlySet<RestorePart>;
  owner: Owner | null;
  made: MadeDirectories;
  emit: (event: RestoreEvent) => void;
}

/** One restore under way: what it holds, and has to give back. */
class RestoreRun {
  readonly request: RestoreRequest;
  /** Whether the commit has begun. */
  committing = false;
  /** Whether what was staged belongs to the install now, or to a journal that names it: it is not for us to remove any more. */
  handedOver = false;
  readonly #context: RunContext;
  readonly #archive: OpenedArchive;
  readonly #emit: (event: RestoreEvent) => void;
  readonly #stop = new AbortController();
  readonly #pool: WorkerPool;
  readonly #temporaries: string[] = [];
  #previous: RestoreResult['previous'] = [];
  readonly #discarded: string[] = [];
  #cluster: ClusterLease | null = null;
  #database: StagedDatabase | null = null;
  #extraction: Extraction | null = null;
  /** The dump, where it cannot be replayed before the commit. */
  #dumpFile: string | null = null;
  #carriedOver = 0;

  constructor(context: RunContext) {
    const { archive, options, home, parts, emit } = context;
    this.#context = context;
    this.#archive = archive;
    this.#emit = emit;
    const { signal: stop } = this.#stop;
    const signal = options.signal === undefined ? stop : AbortSignal.any([options.signal, stop]);
    this.request = { options, home, parts, signal };
    this.#pool = context.pool;
    signal.addEventListener('abort', () => void this.#pool.destroy(), { once: true });
  }

  /** Extracts and checks everything, and puts it where a rename can take it from. */
  async stage(judgement: Judgement): Promise<Staged> {
    const { parts, options, signal } = this.request;
    const real = options.dryRun !== true;
    // First, as the workspace may lie in it.
    if (real) await this.#context.made.make(this.request.home, 0o700);
    const tree = real && parts.has('workspace') ? await this.#stagingTree(judgement.workspace) : null;
    const scratch = tree === null ? tmpdir() : dirname(tree);
    const ledger = new ChecksumLedger(scratch);
    const deferred = new DeferredEntries(scratch);
    try {
      const dump = real && parts.has('datastore') ? await this.#takeDump() : null;
      const extraction = new Extraction({
        archive: this.#archive,
        pool: this.#pool,
        root: tree,
        ledger,
        deferred,
        onDump: async (content) => dump?.write(content),
        onProgress: (progress) => this.#emit({ type: 'progress', progress }),
        signal,
      });
      this.#extraction = extraction;
      const extracted = extraction.run().then(
        () => dump?.end(),
        (error: unknown) => {
          dump?.fail(error);
          throw error;
        },
      );
      const database = await this.#bothOrNeither(extracted, dump?.staged ?? Promise.resolve(null));
      throwIfAborted(signal);
      if (parts.has('workspace')) this.#requireWorkspace(extraction, deferred);
      const relocation = relocationOf(this.#archive, extraction, judgement.own, this.request);
      const { strangeCommand } = relocation;
      if (strangeCommand !== null) {
        this.#note(
          `the archive brings a parser_cmd that \`leoflow setup\` does not write, and Leoflow will run it: ${quoted(strangeCommand)}`,
        );
      }
      if (tree !== null) {
        deferred.apply(new StagingTree(tree));
        await giveTo(this.#context.owner, tree);
        // By the directory around it: it may be of those that nobody may read.
        await syncFileSystem(scratch);
      }
      const files = real && parts.has('config') ? await this.#stageConfig(relocation) : [];
      const { directories, links } = deferred;
      const { handle, members, manifest } = this.#archive;
      const incomplete = incompleteOf({ fd: handle.fd, members, manifest });
      return { relocation, extraction, incomplete, directories, links, tree, files, database };
    } finally {
      ledger.close();
      deferred.close();
    }
  }

  /** Exchanges the old parts for the staged ones. */
  async commit(judgement: Judgement, staged: Staged): Promise<void> {
    const { home, options } = this.request;
    const started = new Date();
    if (staged.tree !== null) await requireStillFree(judgement, options);
    const { renames, carried } = await this.#moves(judgement, staged, started);
    this.#carriedOver = carried.length;
    const { workspace } = judgement;
    const kept = staged.tree === null ? null : await this.#lookAtPrevious(workspace, staged, carried);
    const databases = this.#swapNames(staged, started);
    const journal: Journal = {
      version: 1,
      started: started.toISOString(),
      state: 'committing',
      renames,
      carried,
      databases,
      transaction: null,
      datastore: this.#cluster?.datastore.connection.address ?? null,
      temporary: [...this.#temporaries],
      discard: this.#discard(databases, kept === null ? null : workspace),
    };
    const endSessions = options.force === true;
    const inPlace = this.#dumpFile;
    this.committing = true;
    this.handedOver = true;
    try {
      const leftOver = await commit({ home, cluster: this.#cluster }, journal, {
        endSessions,
        ...(inPlace !== null && {
          replay: (beforeCommit) => this.#replayInPlace(inPlace, { endSessions, beforeCommit }),
        }),
      });
      if (leftOver !== null) this.#note(`everything is in place, but ${leftOver.message}; ${leftOver.hint}`);
      if (kept !== null) this.#note(kept);
      await this.#listPrevious(databases);
    } catch (error) {
      this.handedOver = error instanceof SnapshotError && error.code === 'RECOVERY_FAILED';
      throw error;
    }
  }

  result(judgement: Judgement, staged: Staged, durationMs: number): RestoreResult {
    const { home, parts, options } = this.request;
    const { files, bytes, dumpBytes } = staged.extraction.progress;
    const dryRun = options.dryRun === true;
    const discards = options.discardPrevious === true;
    const datastore = this.#cluster === null ? judgement.datastore : datastoreOf(this.#cluster);
    const config = configFiles(staged.relocation).map(({ name }) => name);
    if (dryRun) {
      const brought = new Set(config.map((name) => join(home, name)));
      for (const one of judgement.inTheWay) {
        // A file of the config that the archive does not have stays.
        if (isConfigFile(one.what, home) && !brought.has(one.what)) continue;
        const isKept = staged.incomplete && one.what === judgement.workspace;
        if (discards && !isKept) this.#discarded.push(one.what);
        else this.#previous.push(one);
      }
    }
    return {
      dryRun,
      manifest: this.#archive.manifest,
      home,
      parts: RESTORE_PARTS.filter((part) => parts.has(part)),
      incomplete: staged.incomplete,
      config,
      workspace: parts.has('workspace')
        ? { path: judgement.workspace, files, directories: staged.directories, links: staged.links, bytes }
        : null,
      datastore: parts.has('datastore') ? { ...datastore, bytes: dumpBytes } : null,
      changes: parts.has('config') ? staged.relocation.changes : [],
      previous: this.#previous,
      discarded: this.#discarded,
      carriedOver: this.#carriedOver,
      durationMs,
      workers: this.#pool.workers,
    };
  }

  /** Gives everything back; what was not handed over is removed, and the install is as it was. Never throws: what fails here is told. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#pool.destroy();
    this.#extraction?.close();
    const attempt = (step: Promise<void> | undefined) => step?.catch((error: unknown) => this.#note(wordsOf(error)));
    if (!this.handedOver) {
      await attempt(this.#database?.discard());
      for (const path of this.#temporaries) await attempt(removeTree(path));
    }
    if (this.#dumpFile !== null) await attempt(removeTree(this.#dumpFile));
    const fresh = this.#cluster?.state === 'provisioned';
    await attempt(this.#cluster?.release({ keep: this.handedOver || !fresh }));
    await attempt(this.#archive.handle.close());
  }

  #note(message: string): void {
    this.#emit({ type: 'note', message });
  }

  /** Waits for both; where one fails, it stops the other and waits for that, too: neither works on behind our back. */
  async #bothOrNeither<T>(extracted: Promise<void>, replayed: Promise<T>): Promise<T> {
    try {
      const [, result] = await Promise.all([extracted, replayed]);
      return result;
    } catch (error) {
      this.#stop.abort();
      await Promise.allSettled([extracted, replayed]);
      throw error;
    }
  }

  /** A private directory beside the workspace, on the same file system, and the tree in it. */
  async #stagingTree(workspace: string): Promise<string> {
    const directory = dirname(workspace);
    const staging = join(directory, temporaryName(basename(workspace)));
    const tree = join(staging, 'workspace');
    try {
      await this.#context.made.make(directory);
      await clearStaleTemporaries(directory);
      this.#temporaries.push(staging);
      await mkdir(staging, { mode: 0o700 });
      await mkdir(tree);
      await requireSteadyInode(tree);
    } catch (cause) {
      throw new SnapshotError(
        'STAGING_WRITE',
        `cannot write beside the workspace, in ${directory}: ${systemErrorText(cause)}`,
        {
          hint: 'make that directory writable, or choose another place with --workspace; nothing was changed',
          cause,
        },
      );
    }
    return tree;
  }

  async #takeDump(): Promise<DumpSink> {
    const { home, options, signal } = this.request;
    this.#cluster = await leaseCluster(datastoreSearch(home, { ...options, signal }));
    const cluster = this.#cluster;
    if (!cluster.maySwap) {
      this.#note(
        'the database role may create no database: the dump is replayed into the live one, in one transaction, at the end',
      );
      this.#dumpFile = join(dirname(home), temporaryName('datastore.sql'));
      const file = createWriteStream(this.#dumpFile, { flags: 'wx', mode: 0o600 });
      return new DumpSink(
        file,
        finished(file).then(() => null),
      );
    }
    if (cluster.state !== 'external') await sweepStaged(cluster).catch((error: unknown) => this.#note(wordsOf(error)));
    const stream = new PassThrough({ highWaterMark: 1 << 20 });
    const name = stagedName();
    const staged = stageDatabase(cluster, stream, { signal, name }).then((database) => {
      this.#database = database;
      return database;
    });
    return new DumpSink(stream, staged);
  }

  async #stageConfig(relocation: Relocation): Promise<Move[]> {
    const { home } = this.request;
    const files: Move[] = [];
    for (const { name, content, mode } of configFiles(relocation)) {
      const path = join(home, temporaryName(name));
      this.#temporaries.push(path);
      const handle = await openPrivate(path, home);
      try {
        await handle.writeFile(content);
        await handle.chmod(mode);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await giveTo(this.#context.owner, path);
      files.push({ from: path, to: join(home, name) });
    }
    return files;
  }

  /** What the commit moves: what is there aside, what was staged in, and what is never archived from the one to the other. */
  async #moves(
    { workspace }: Judgement,
    { tree, files }: Staged,
    now: Date,
  ): Promise<{ renames: Rename[]; carried: Move[] }> {
    const suffix = `.before-restore-${createdAt(now).replaceAll(':', '')}`;
    const renames: Rename[] = [];
    const carried: Move[] = [];
    const exchange = async ({ from, to }: Move) => {
      const there = await inodeOf(to);
      const previous = there === null ? null : await unused(to + suffix);
      if (there !== null && previous !== null) {
        renames.push({ from: to, to: previous, inode: there });
        this.#previous.push({ what: to, where: previous });
      }
      renames.push({ from, to, inode: (await inodeOf(from)) ?? '' });
      return previous;
    };
    if (tree !== null) {
      const previous = await exchange({ from: tree, to: workspace });
      if (previous !== null) carried.push(...(await findCarriedOver(workspace, tree, { previous, workspace })));
    }
    for (const file of files) await exchange(file);
    return { renames, carried };
  }

  #swapNames({ database }: Staged, now: Date): SwapNames | null {
    if (database === null || this.#cluster === null) return null;
    const { liveDatabase: live, liveExists } = this.#cluster;
    return { staged: database.name, live, previous: liveExists ? previousName(live, now) : null };
  }

  /**
   * What is removed once the commit is done: all that was replaced, if so asked.
   *
   * @param kept the workspace, where its previous tree is kept all the same
   */
  #discard(databases: SwapNames | null, kept: string | null): Journal['discard'] {
    if (this.request.options.discardPrevious !== true) return { paths: [], databases: [] };
    const database = databases?.previous ?? null;
    const paths = this.#previous.filter(({ what }) => what !== kept).map(({ where }) => where);
    return { paths, databases: database === null ? [] : [database] };
  }

  /** Looks at the workspace that is about to go aside. @returns why it is kept there although it was to be removed; null where nothing speaks against that */
  async #lookAtPrevious(workspace: string, { incomplete }: Staged, carried: readonly Move[]): Promise<string | null> {
    const mounts = await mountsIn(workspace, carried);
    for (const mount of mounts) {
      this.#note(`the file system mounted at ${mount} goes aside with the workspace`);
    }
    const { input, discardPrevious } = this.request.options;
    return discardPrevious === true ? whyKept({ workspace, mounts, input, incomplete, carried }) : null;
  }

  /** Sorts what was replaced by whether it is there still, as far as that can be told, and adds the database: an empty one is gone unasked. */
  async #listPrevious(databases: SwapNames | null): Promise<void> {
    const discards = this.request.options.discardPrevious === true;
    const replaced = this.#previous;
    this.#previous = [];
    for (const one of replaced) {
      // Where that cannot be told, it counts as there.
      if (discards && (await inodeOf(one.where).catch(() => '')) === null) this.#discarded.push(one.what);
      else this.#previous.push(one);
    }
    if (this.#cluster === null || databases === null || databases.previous === null) return;
    const isThere = await databaseExists(this.#cluster, databases.previous).catch(() => true);
    const what = `database ${databases.live}`;
    if (isThere) this.#previous.push({ what, where: `database ${databases.previous}` });
    else if (discards) this.#discarded.push(what);
  }

  /** @throws ARCHIVE_DAMAGED where an archive of ours has none; others have no entry for one that is empty */
  #requireWorkspace({ progress }: Extraction, { directories, links }: DeferredEntries): void {
    if (progress.files + directories + links > 0) return;
    if (this.#archive.manifest.checksums !== undefined) throw damaged('there is no workspace in it');
    this.#note('there is nothing of a workspace in the archive: an empty one takes the place of what is there');
  }

  async #replayInPlace(
    file: string,
    options: { endSessions: boolean; beforeCommit: (transaction: string) => Promise<void> },
  ): Promise<void> {
    if (this.#cluster === null) return;
    await replayInPlace(this.#cluster, createReadStream(file), options);
  }
}

/** A commit knows by their inodes what it has moved, should it be broken off. Some file systems make them up from names. */
async function requireSteadyInode(directory: string): Promise<void> {
  const [elsewhere, inode] = [`${directory}.moved`, await inodeOf(directory)];
  await rename(directory, elsewhere);
  const isSteady = (await inodeOf(elsewhere)) === inode;
  await rename(elsewhere, directory);
  if (!isSteady)
    throw new Error('on this file system a directory that is moved is not known again, so nothing could be undone');
}

function isConfigFile(path: string, home: string): boolean {
  return ['config.yaml', 'setup.json'].some((name) => path === join(home, name));
}

/** The files of the config that are restored. */
function configFiles({ config, setup }: Relocation): { name: string; content: Buffer; mode: number }[] {
  const files = [
    { name: 'config.yaml', content: config, mode: 0o600 },
    { name: 'setup.json', content: setup, mode: 0o644 },
  ];
  return files.flatMap(({ content, ...file }) => (content === null ? [] : [{ ...file, content }]));
}

/** A system call that fails is no defect of this program; and what could not be written is not the archive of a backup. */
function asSnapshotError(error: unknown): unknown {
  const cause = error instanceof SnapshotError && error.code.startsWith('OUTPUT_') ? error.cause : error;
  const code = systemErrorCode(cause);
  if (cause instanceof SnapshotError || code === undefined || !(cause instanceof Error && 'syscall' in cause)) {
    return error;
  }
  const path = 'path' in cause ? ` ${cause.path}` : '';
  const full = isNoRoom(code);
  const words = `${cause.syscall}${path}: ${systemErrorText(cause)}`;
  return new SnapshotError(
    full ? 'STAGING_FULL' : 'STAGING_WRITE',
    full ? `no room for the restore: ${words}` : `the restore could not be staged: ${words}`,
    {
      hint: full ? 'free some space; nothing was changed' : 'check the disk and the permissions; nothing was changed',
      cause,
    },
  );
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
