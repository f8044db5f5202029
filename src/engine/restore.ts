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
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, rm, rmdir, stat, unlink, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import {
  ChecksumLedger,
  clearStaleTemporaries,
  createdAt,
  liveTemporaries,
  openPrivate,
  syncDirectory,
  temporaryName,
} from './archive/index.js';
import { findCarriedOver } from './carry-over.js';
import { commit, resume } from './commit.js';
import {
  type ClusterLease,
  type DatastoreOptions,
  leaseCluster,
  previousName,
  replayInPlace,
  type StagedDatabase,
  type SwapNames,
  stageDatabase,
  stagedName,
  sweepStaged,
} from './datastore/index.js';
import { interrupted, SnapshotError, throwIfAborted } from './errors.js';
import type { RestoreEvent } from './events.js';
import { Extraction } from './extraction.js';
import { defaultHome, type Relocation } from './install/index.js';
import { type Journal, type Rename, readJournal } from './journal.js';
import { type Judgement, judge, type RestoreRequest, relocationOf } from './judgement.js';
import { type OpenedArchive, openArchive } from './opened-archive.js';
import {
  RESTORE_PARTS,
  type RecoverOptions,
  type RecoverResult,
  type RestoreOptions,
  type RestorePart,
  type RestoreResult,
} from './options.js';
import { availableWorkers, WorkerPool } from './pool.js';
import { DeferredEntries, StagingTree } from './workspace/index.js';

/**
 * Restores an archive.
 *
 * @throws SnapshotError, see {@link ErrorCode}; then the install is as it was
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const started = performance.now();
  const home = resolve(options.home ?? defaultHome());
  const parts = new Set<RestorePart>(options.only ?? RESTORE_PARTS);
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const emit = (event: RestoreEvent) => options.onEvent?.(event);
  throwIfAborted(signal);

  emit({ type: 'phase', phase: 'judge' });
  await finishUnfinished(home, options, emit);
  const archive = await openArchive(options.input, signal);
  const request: RestoreRequest = { options, home, parts, signal };
  const run = new RestoreRun(archive, request, emit);
  try {
    await run.lock();
    const judgement = await judge(archive, request);
    emit({ type: 'phase', phase: 'stage' });
    const staged = await run.stage(judgement);
    throwIfAborted(signal);
    if (options.dryRun !== true) {
      emit({ type: 'phase', phase: 'commit' });
      await run.commit(judgement, staged);
    }
    emit({ type: 'phase', phase: 'finish' });
    return run.result(judgement, staged, performance.now() - started);
  } catch (error) {
    throw options.signal?.aborted ? interrupted() : error;
  } finally {
    stop.abort();
    await run.close();
    await archive.handle.close();
  }
}

/**
 * Finishes or undoes a restore that was broken off in its commit.
 *
 * @throws NOTHING_TO_RECOVER, RECOVERY_FAILED, and what starting the cluster throws
 */
export async function recover(options: RecoverOptions = {}): Promise<RecoverResult> {
  const started = performance.now();
  const home = resolve(options.home ?? defaultHome());
  const journal = await readJournal(home);
  if (journal === null) {
    throw new SnapshotError('NOTHING_TO_RECOVER', `no restore to ${home} was broken off`, {
      hint: 'there is nothing to do',
    });
  }
  const outcome = await resumeFrom(journal, home, options);
  return { outcome, home, durationMs: performance.now() - started };
}

async function finishUnfinished(
  home: string,
  options: RestoreOptions,
  emit: (event: RestoreEvent) => void,
): Promise<void> {
  const journal = await readJournal(home);
  if (journal === null) return;
  if (options.dryRun === true) {
    throw new SnapshotError('RECOVERY_NEEDED', `a restore to ${home} was broken off in its commit`, {
      hint: 'finish or undo it first: leoflow lite restore --recover',
    });
  }
  const outcome = await resumeFrom(journal, home, options);
  emit({ type: 'note', message: `an earlier restore that was broken off in its commit was ${outcome} first` });
}

async function resumeFrom(journal: Journal, home: string, options: RecoverOptions): Promise<'finished' | 'undone'> {
  const needed = journal.databases !== null || journal.discard.databases.length > 0;
  const cluster = needed ? await leaseCluster(searchOf(home, options)) : null;
  try {
    return await resume({ home, cluster }, journal);
  } finally {
    await cluster?.release({ keep: true });
  }
}

function searchOf(home: string, { dsn, pgBin, signal }: RecoverOptions): DatastoreOptions {
  return {
    home,
    ...(dsn === undefined ? {} : { dsn }),
    ...(pgBin === undefined ? {} : { pgBin }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** What was staged, ready to take its place. */
interface Staged {
  relocation: Relocation;
  extraction: Extraction;
  directories: number;
  links: number;
  /** The new tree; null where none is restored. */
  tree: string | null;
  /** Staged config.yaml and setup.json, by their final paths. */
  files: Rename[];
  database: StagedDatabase | null;
}

/** One restore under way: what it holds, and has to give back. */
class RestoreRun {
  readonly #archive: OpenedArchive;
  readonly #request: RestoreRequest;
  readonly #emit: (event: RestoreEvent) => void;
  readonly #pool: WorkerPool;
  readonly #temporaries: string[] = [];
  readonly #previous: RestoreResult['previous'] = [];
  #lock: string | null = null;
  #madeHome = false;
  #cluster: ClusterLease | null = null;
  #database: StagedDatabase | null = null;
  #extraction: Extraction | null = null;
  /** The dump, where it cannot be replayed before the commit. */
  #dumpFile: string | null = null;
  #committed = false;
  #carriedOver = 0;

  constructor(archive: OpenedArchive, request: RestoreRequest, emit: (event: RestoreEvent) => void) {
    this.#archive = archive;
    this.#request = request;
    this.#emit = emit;
    this.#pool = new WorkerPool(request.options.workers ?? availableWorkers());
    request.signal.addEventListener('abort', () => void this.#pool.destroy(), { once: true });
  }

  /** Refuses while another restore to this home is under way. @throws INSTALL_BUSY */
  async lock(): Promise<void> {
    const { home, options } = this.#request;
    if (options.dryRun === true) return;
    const directory = dirname(home);
    const name = `${basename(home)}.restore`;
    for (const place of [directory, home]) await clearStaleTemporaries(place);
    const lock = join(directory, temporaryName(name));
    await mkdir(directory, { recursive: true });
    await (await openPrivate(lock, directory)).close();
    this.#lock = lock;
    const [other] = await liveTemporaries(directory, name);
    if (other === undefined) return;
    throw new SnapshotError('INSTALL_BUSY', `another restore (process ${other.pid}) is working on ${home}`, {
      hint: 'wait for it to end',
    });
  }

  /** Extracts and checks everything, and puts it where a rename can take it from. */
  async stage(judgement: Judgement): Promise<Staged> {
    const { parts, options, signal } = this.#request;
    const real = options.dryRun !== true;
    const tree = real && parts.has('workspace') ? await this.#stagingTree(judgement.workspace) : null;
    if (real) await this.#makeHome();
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
      const [, database] = await Promise.all([extracted, dump?.staged ?? null]);
      throwIfAborted(signal);
      const relocation = relocationOf(this.#archive, extraction, judgement.own, this.#request);
      if (tree !== null) {
        deferred.apply(new StagingTree(tree));
        await this.#giveToOwner(tree);
        await syncFileSystem(tree);
      }
      const files = real && parts.has('config') ? await this.#stageConfig(relocation) : [];
      const { directories, links } = deferred;
      return { relocation, extraction, directories, links, tree, files, database };
    } finally {
      ledger.close();
      deferred.close();
    }
  }

  /** Exchanges the old parts for the staged ones. */
  async commit(judgement: Judgement, staged: Staged): Promise<void> {
    const { home, options } = this.#request;
    const suffix = `.before-restore-${createdAt(new Date()).replaceAll(':', '')}`;
    const renames: Rename[] = [];
    const exchange = async (from: string, to: string) => {
      const previous = (await exists(to)) ? await unused(to + suffix) : null;
      if (previous !== null) {
        renames.push({ from: to, to: previous });
        this.#previous.push({ what: to, where: previous });
      }
      renames.push({ from, to });
      return previous;
    };
    if (staged.tree !== null) {
      const { workspace } = judgement;
      const previous = await exchange(staged.tree, workspace);
      if (previous !== null) {
        const carried = await findCarriedOver(workspace, staged.tree, { previous, workspace });
        renames.push(...carried);
        this.#carriedOver = carried.length;
      }
    }
    for (const { from, to } of staged.files) await exchange(from, to);
    const databases = this.#swapNames(staged);
    const journal: Journal = {
      version: 1,
      started: new Date().toISOString(),
      state: 'committing',
      renames,
      databases,
      temporary: [...this.#temporaries],
      discard: this.#discard(judgement, databases),
    };
    const force = options.force === true;
    const inPlace = this.#dumpFile;
    await commit({ home, cluster: this.#cluster }, journal, {
      endSessions: force,
      ...(inPlace === null ? {} : { last: () => this.#replayInPlace(inPlace, force) }),
    });
    this.#committed = true;
  }

  result(judgement: Judgement, staged: Staged, durationMs: number): RestoreResult {
    const { home, parts, options } = this.#request;
    const { files, bytes, dumpBytes } = this.#progress(staged);
    const cluster = this.#cluster;
    return {
      dryRun: options.dryRun === true,
      manifest: this.#archive.manifest,
      home,
      parts: RESTORE_PARTS.filter((part) => parts.has(part)),
      workspace: parts.has('workspace')
        ? { path: judgement.workspace, files, directories: staged.directories, links: staged.links, bytes }
        : null,
      datastore: parts.has('datastore')
        ? {
            source: cluster?.source ?? 'the datastore of the home',
            bytes: dumpBytes,
            cluster: cluster?.state ?? 'running',
            inPlace: this.#dumpFile !== null,
          }
        : null,
      changes: parts.has('config') ? staged.relocation.changes : [],
      previous: options.discardPrevious === true ? [] : this.#previous,
      carriedOver: this.#carriedOver,
      durationMs,
      workers: this.#pool.workers,
    };
  }

  /** Gives everything back; unless it was committed, that leaves the install as it was. */
  async close(): Promise<void> {
    await this.#pool.destroy();
    this.#extraction?.close();
    try {
      if (!this.#committed) {
        await this.#database?.discard();
        for (const path of this.#temporaries) await removeTree(path);
      }
      if (this.#dumpFile !== null) await rm(this.#dumpFile, { force: true });
    } finally {
      const fresh = this.#cluster?.state === 'provisioned';
      await this.#cluster?.release({ keep: this.#committed || !fresh });
      // Only an empty one goes: what else is in it by now is not ours.
      if (this.#madeHome && !this.#committed) await rmdir(this.#request.home).catch(() => {});
      if (this.#lock !== null) await unlink(this.#lock).catch(() => {});
    }
  }

  #progress({ extraction }: Staged) {
    return extraction.progress;
  }

  async #makeHome(): Promise<void> {
    const { home } = this.#request;
    if (await exists(home)) return;
    await mkdir(home, { mode: 0o700 });
    this.#madeHome = true;
    await this.#giveToOwner(home);
  }

  /** A private directory beside the workspace, on the same file system, and the tree in it. */
  async #stagingTree(workspace: string): Promise<string> {
    const directory = dirname(workspace);
    await mkdir(directory, { recursive: true });
    await clearStaleTemporaries(directory);
    const staging = join(directory, temporaryName(basename(workspace)));
    try {
      await mkdir(staging, { mode: 0o700 });
    } catch (cause) {
      throw new SnapshotError('STAGING_WRITE', `cannot write beside the workspace, in ${directory}`, {
        hint: 'make that directory writable, or choose another place with --workspace; nothing was changed',
        cause,
      });
    }
    this.#temporaries.push(staging);
    const tree = join(staging, 'workspace');
    await mkdir(tree);
    return tree;
  }

  async #takeDump(): Promise<DumpSink> {
    const { home, options, signal } = this.#request;
    this.#cluster = await leaseCluster(searchOf(home, { ...options, signal }));
    const cluster = this.#cluster;
    if (!cluster.maySwap) {
      this.#emit({
        type: 'note',
        message:
          'the database role may create no database: the dump is replayed into the live one, in one transaction, at the end',
      });
      this.#dumpFile = join(tmpdir(), temporaryName('datastore.sql'));
      const file = createWriteStream(this.#dumpFile, { flags: 'wx', mode: 0o600 });
      return new DumpSink(
        file,
        finished(file).then(() => null),
      );
    }
    if (cluster.state !== 'external') await sweepStaged(cluster);
    const stream = new PassThrough({ highWaterMark: 1 << 20 });
    const name = stagedName();
    const staged = stageDatabase(cluster, stream, { signal, name }).then((database) => {
      this.#database = database;
      return database;
    });
    return new DumpSink(stream, staged);
  }

  async #stageConfig({ config, setup }: Relocation): Promise<Rename[]> {
    const { home } = this.#request;
    const files: Rename[] = [];
    for (const [name, content, mode] of [
      ['config.yaml', config, 0o600],
      ['setup.json', setup, 0o644],
    ] as const) {
      if (content === null) continue;
      const path = join(home, temporaryName(name));
      const handle = await openPrivate(path, home);
      this.#temporaries.push(path);
      try {
        await handle.writeFile(content);
        await handle.chmod(mode);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await this.#giveToOwner(path);
      files.push({ from: path, to: join(home, name) });
    }
    return files;
  }

  #swapNames({ database }: Staged): SwapNames | null {
    if (database === null || this.#cluster === null) return null;
    const { liveDatabase: live, liveExists } = this.#cluster;
    const previous = liveExists ? previousName(live, new Date()) : null;
    return { staged: database.name, live, previous };
  }

  /** What is removed once the commit is done: all that was replaced, if so asked; an empty database in any case. */
  #discard({ databaseHolds }: Judgement, databases: SwapNames | null): Journal['discard'] {
    const discard = this.#request.options.discardPrevious === true;
    const database = databases?.previous ?? null;
    if (database !== null && databaseHolds)
      this.#previous.push({ what: `database ${databases?.live}`, where: `database ${database}` });
    return {
      paths: discard ? this.#previous.filter(({ where }) => where.startsWith('/')).map(({ where }) => where) : [],
      databases: database !== null && (discard || !databaseHolds) ? [database] : [],
    };
  }

  async #replayInPlace(file: string, endSessions: boolean): Promise<void> {
    if (this.#cluster === null) return;
    await replayInPlace(this.#cluster, createReadStream(file), { endSessions });
  }

  /** Under sudo: what root creates belongs to whoever owns the home, or the directory that it is made in. */
  async #giveToOwner(path: string): Promise<void> {
    if (process.getuid?.() !== 0) return;
    const { home } = this.#request;
    const { uid, gid } = await stat(this.#madeHome ? dirname(home) : home);
    if (uid === 0) return;
    const times = await lstat(path);
    await runTool('chown', ['-Rh', `${uid}:${gid}`, '--', path]);
    if (times.isDirectory()) {
      await chmod(path, times.mode & 0o7777);
      await utimes(path, times.atime, times.mtime);
    }
  }
}

/** Takes the dump as it comes out of the archive, and tells what became of it. */
class DumpSink {
  /** The database it was replayed into; null where it was only kept. */
  readonly staged: Promise<StagedDatabase | null>;
  readonly #stream: Writable;

  constructor(stream: Writable, staged: Promise<StagedDatabase | null>) {
    this.#stream = stream;
    this.staged = staged;
    staged.catch(() => {});
    stream.on('error', () => {});
  }

  /** Where nobody takes the dump any more, `staged` says why. */
  async write(content: Uint8Array): Promise<void> {
    if (this.#stream.destroyed || this.#stream.write(content)) return;
    const done = new AbortController();
    const either = { signal: done.signal };
    await Promise.race([once(this.#stream, 'drain', either), once(this.#stream, 'close', either)]).catch(() => {});
    done.abort();
  }

  end(): void {
    this.#stream.end();
  }

  fail(error: unknown): void {
    this.#stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Makes everything on the file system of a directory durable: one call instead of one per file. */
async function syncFileSystem(directory: string): Promise<void> {
  try {
    await runTool('sync', ['-f', directory]);
  } catch {
    // Not GNU's: sync everything.
    await runTool('sync', []);
  }
  await syncDirectory(directory);
}

async function runTool(tool: string, args: readonly string[]): Promise<void> {
  const child = spawn(tool, args, { stdio: 'ignore' });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new SnapshotError('STAGING_WRITE', `${tool} ${args.join(' ')} failed with status ${status}`);
}

/** Removes a tree of ours, directories without permissions included. */
async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(async () => {
    await runTool('chmod', ['-R', 'u+rwX', '--', path]).catch(() => {});
    await rm(path, { recursive: true, force: true });
  });
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** A path that does not exist yet: this one, or with a number behind it. */
async function unused(path: string): Promise<string> {
  for (let n = 1; ; n += 1) {
    const candidate = n === 1 ? path : `${path}-${n}`;
    if (!(await exists(candidate))) return candidate;
  }
}
