/**
 * Backup: a whole install into one archive.
 *
 *     refuse while a restore is at work, or was broken off in its commit
 *     read the install, ask the datastore, open the output          nothing is written before all three answer; one that is stopped may be started
 *     at once:
 *       pg_dump → slices → compress (workers) → spool               one consistent snapshot; the datastore is let go
 *       manifest, config, setup → output
 *       walk → cut → pack (workers) → output, in path order          checksums, index → spools
 *     fail where a restore has come in between                       all of it is of one install
 *     spooled dump → output
 *     spooled index, spooled checksums → output, end of archive
 *     flush, rename                                                  the archive appears, whole
 *
 * Everything that waits is bounded: a slow disk slows the workers, slow workers slow the scan and pg_dump.
 */
import { hash as hashOf } from 'node:crypto';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import {
  type ArchiveOutput,
  type ArchivePath,
  checksumLine,
  compressMember,
  createdAt,
  defaultArchiveName,
  END_OF_ARCHIVE,
  ENTRY,
  type Entry,
  type EntryHeader,
  encodeEntries,
  encodeFileHeader,
  encodeManifest,
  entryLine,
  lastLines,
  MANIFEST_VERSION,
  type Manifest,
  memberLine,
  openFileOutput,
  openStreamOutput,
  SpareBuffers,
  Spool,
} from './archive/index.js';
import { schemaVersionNow, startDump } from './datastore/index.js';
import { type DatastoreLease, leaseDatastore } from './datastore-lease.js';
import { interrupted, SnapshotError, throwIfAborted, wholeNumber } from './errors.js';
import type { BackupEvent, BackupProgress, Warning } from './events.js';
import { defaultHome, type Install, leoflowVersion, readInstall } from './install/index.js';
import { InstallWatch, refuseWhileRestored } from './install-watch.js';
import { neverArchived } from './never-archived.js';
import type { BackupOptions, BackupResult } from './options.js';
import { PackedWorkspace } from './packed-workspace.js';
import { WorkerPool, workersOf } from './pool.js';
import { snowballNote } from './snowball.js';
import { VERSION } from './version.js';
import { type ExclusionRules, WorkspaceWalk } from './workspace/index.js';

/** The default deflate level. */
export const DEFAULT_LEVEL = 5;
/** Warnings that a result lists one by one. */
const LISTED_WARNINGS = 1000;
/** Mode of the entries that have no file of their own, and of the archive. */
const PRIVATE_MODE = 0o600;

/**
 * Backs up a Leoflow Lite install.
 *
 * @returns what was written; `incomplete` says whether files are missing from it
 * @throws SnapshotError, see {@link ErrorCode}; then no archive and no temporary file is left behind, unless the message says that the archive is in its place
 */
export async function backup(options: BackupOptions = {}): Promise<BackupResult> {
  const level = wholeNumber('level', options.level ?? DEFAULT_LEVEL, 1, 9);
  const workers = workersOf(options);
  const started = performance.now();
  const time = new Date();
  const emit = (event: BackupEvent) => options.onEvent?.(event);
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  throwIfAborted(signal);

  emit({ type: 'phase', phase: 'prepare' });
  const home = resolve(options.home ?? defaultHome());
  await refuseWhileRestored(home);
  const install = await readInstall(home);
  let warn = (warning: Warning) => emit({ type: 'warning', warning });
  const lease = await leaseDatastore({
    namedHome: install.namedHome,
    search: { home: install.home, dsn: options.dsn, pgBin: options.pgBin, signal },
    start: options.startDatastore === true,
    onNote: (message) => emit({ type: 'note', message }),
    onWarning: (warning) => warn(warning),
  });
  try {
    const version = await leoflowVersion({ signal });
    const target = options.output ?? defaultArchiveName(time);
    const output = typeof target === 'string' ? await openFileOutput(target, signal) : openStreamOutput(target, signal);
    try {
      const pool = await WorkerPool.start(workers);
      const run = new BackupRun({ install, version, lease, output, level, pool, time, signal, emit });
      warn = (warning) => run.warn(warning);
      try {
        await run.open(options.exclude ?? []);
        const survey = options.survey === true ? run.survey() : Promise.resolve();
        survey.catch(() => {});
        await run.write();
        await survey;
        emit({ type: 'phase', phase: 'finish' });
        throwIfAborted(signal);
        await output.commit();
        return run.result(performance.now() - started);
      } catch (error) {
        // Whatever fails because it was told to stop says just that; with an archive in its place, it was something else.
        throw options.signal?.aborted && !output.isInPlace ? interrupted() : error;
      } finally {
        stop.abort();
        await run.close();
      }
    } finally {
      await output.discard();
    }
  } finally {
    await lease.release();
  }
}

interface BackupContext {
  install: Install;
  /** Of the installed Leoflow. */
  version: string;
  lease: DatastoreLease;
  output: ArchiveOutput;
  level: number;
  pool: WorkerPool;
  time: Date;
  signal: AbortSignal;
  emit: (event: BackupEvent) => void;
}

/** What grows while the workspace is packed, and waits for its turn. */
type Spools = Record<'dump' | 'checksums' | 'index', Spool>;

/** One backup under way: what it holds open, and what it has counted. */
class BackupRun {
  readonly #context: BackupContext;
  readonly #pool: WorkerPool;
  readonly #buffers = new SpareBuffers();
  readonly #manifest: Manifest;
  readonly #progress: BackupProgress = { files: 0, bytes: 0, dumpBytes: 0, written: 0 };
  readonly #warnings: Warning[] = [];
  #warningCount = 0;
  /** Warnings that stand for a path that is not in the archive as it should be. */
  #incomplete = 0;
  #spools: Spools | null = null;
  /** All of these that are open: where there is no room for another one, too. */
  readonly #opened: Spool[] = [];
  #rules: ExclusionRules = { patterns: [], paths: [] };
  #workspace: PackedWorkspace | null = null;
  #watch: InstallWatch | null = null;
  /** What runs at the same time as something else, and may be left waiting when that fails. */
  readonly #concurrent: Promise<unknown>[] = [];

  constructor(context: BackupContext) {
    this.#context = context;
    this.#manifest = manifestOf(context);
    this.#pool = context.pool;
    context.signal.addEventListener('abort', () => void this.#pool.destroy(), { once: true });
  }

  /** Opens the spools, beside the archive, where there must be room anyway, and has an eye on the install from now on. */
  async open(patterns: readonly string[]): Promise<void> {
    const { output, level, install } = this.#context;
    this.#watch = await InstallWatch.begin(install);
    const directory = output.path === null ? tmpdir() : dirname(output.path);
    const name = output.path === null ? 'leoflow-backup' : basename(output.path);
    const buffers = this.#buffers;
    const compress = async (content: Uint8Array<ArrayBuffer>) => {
      const target = buffers.take();
      return this.#pool.run('slice', { content, level, target }, [content.buffer, target]);
    };
    const open = async (limit: number) => {
      const spool = await Spool.open(directory, name, { compress, buffers, limit });
      this.#opened.push(spool);
      return spool;
    };
    this.#spools = { dump: await open(this.#pool.workers + 1), checksums: await open(1), index: await open(1) };
    this.#rules = { patterns, paths: await neverArchived(install, [output.path, output.temporary]) };
    const archive = output.path ?? output.temporary;
    const note = archive === null ? null : await snowballNote(install, archive, patterns);
    if (note !== null) this.#context.emit({ type: 'note', message: note });
    this.#workspace = new PackedWorkspace({
      pool: this.#pool,
      root: install.workspace,
      level,
      walk: this.#walk((warning) => this.warn(warning)),
      buffers,
      onWarning: (warning) => this.warn(warning),
    });
  }

  /** Counts what there is to pack, for those who want to see how far it is. */
  async survey(): Promise<void> {
    const total = { files: 0, bytes: 0 };
    for await (const table of this.#walk(() => {}).entries()) {
      for (const [row, kind] of table.kinds.entries()) {
        if (kind !== 0) continue;
        total.files += 1;
        total.bytes += table.sizes[row] as number;
      }
    }
    this.#context.emit({ type: 'total', ...total });
  }

  /** Writes the whole archive to the output. */
  async write(): Promise<void> {
    const { emit } = this.#context;
    const { dump, checksums, index } = this.#open();
    const dumped = this.#spoolDump();
    // If the packing fails first, nobody is left to look at this one.
    dumped.catch(() => {});
    emit({ type: 'phase', phase: 'pack' });
    const packed = this.#packWorkspace();
    this.#concurrent.push(dumped, packed);
    await Promise.all([packed, dumped]);
    await this.#watch?.check();
    emit({ type: 'phase', phase: 'dump' });
    await checksums.write(Buffer.from(checksumLine(await dumped, ENTRY.datastore)));
    const dumpHeader = this.#spooledHeader(ENTRY.datastore, dump);
    await this.#addToIndex(entryLine(dumpHeader));
    await this.#splice(dumpHeader, dump);
    emit({ type: 'phase', phase: 'checksums' });
    await index.write(Buffer.from(lastLines(this.#packed().leftOut, this.#incomplete)));
    await checksums.write(Buffer.from(checksumLine(await index.end(), ENTRY.index)));
    await this.#splice(this.#spooledHeader(ENTRY.index, index), index);
    await checksums.end();
    await this.#splice(this.#spooledHeader(ENTRY.checksums, checksums), checksums);
    await this.#write(compressMember(END_OF_ARCHIVE, 'entries', this.#context.level));
  }

  /** Ends the workers and gives everything back that is still open, once nobody uses it any more. After the signal has fired. */
  async close(): Promise<void> {
    await this.#pool.destroy();
    // pg_dump is gone, and nothing is written or closed twice, only when both sides have noticed that it is over.
    await Promise.allSettled(this.#concurrent);
    this.#workspace?.close();
    for (const spool of this.#opened) await spool.close();
    await this.#watch?.close();
  }

  result(durationMs: number): BackupResult {
    const { output, install, lease } = this.#context;
    const { files, directories, symlinks, bytes, leftOut } = this.#packed();
    return {
      path: output.path,
      size: output.size,
      manifest: this.#manifest,
      workspace: { path: install.workspace, files, directories, symlinks, bytes },
      datastore: { source: lease.datastore.source, bytes: this.#progress.dumpBytes, cluster: lease.cluster },
      leftOut,
      warnings: this.#warnings,
      warningCount: this.#warningCount,
      incomplete: this.#incomplete > 0,
      durationMs,
      workers: this.#pool.workers,
    };
  }

  /** @returns the SHA-256 of the dump */
  async #spoolDump(): Promise<string> {
    const { dump } = this.#open();
    const { lease, signal } = this.#context;
    const { stdout, finished } = startDump(lease.datastore, signal);
    finished.catch(() => {});
    const take = async (chunk: Uint8Array) => {
      await dump.write(chunk);
      this.#progress.dumpBytes = dump.size;
      this.#report();
    };
    let untaken: unknown;
    try {
      for await (const chunk of stdout) {
        await take(chunk).catch((error: unknown) => {
          untaken = error;
          throw error;
        });
      }
    } catch (brokenOff) {
      // A stream that broke off is best explained by pg_dump, unless it was us who did not take more.
      await finished.catch((error: unknown) => {
        throw untaken ?? error;
      });
      throw untaken ?? brokenOff;
    }
    await finished;
    await this.#requireSameSchema();
    await lease.release();
    return dump.end();
  }

  /** The manifest, which may be written by now, names the schema version from before the dump. @throws DUMP_FAILED where the dump is of another one */
  async #requireSameSchema(): Promise<void> {
    const { lease, signal } = this.#context;
    const { source, schemaVersion: before } = lease.datastore;
    const now = await schemaVersionNow(lease.datastore, signal);
    if (now === before) return;
    throw new SnapshotError(
      'DUMP_FAILED',
      `the schema of ${source} went from version ${before} to ${now} while it was dumped`,
      { hint: 'wait for the upgrade to end, and run the backup again' },
    );
  }

  async #packWorkspace(): Promise<void> {
    const { install, time } = this.#context;
    const { checksums } = this.#open();
    const mtime = Math.floor(time.getTime() / 1000);
    const entries: Entry[] = [
      file(ENTRY.manifest, encodeManifest(this.#manifest), PRIVATE_MODE, mtime),
      ...[
        [ENTRY.config, install.config] as const,
        ...(install.setup === null ? [] : [[ENTRY.setup, install.setup] as const]),
      ].map(([name, { content, mode, mtimeMs }]) => file(name, content, mode, Math.floor(mtimeMs / 1000))),
    ];
    for (const { name, content } of entries) {
      await checksums.write(Buffer.from(checksumLine(hashOf('sha256', content as Buffer, 'hex'), name)));
    }
    await this.#addToIndex(entries.map(entryLine).join(''));
    await this.#write(compressMember(await encodeEntries(entries), 'entries', this.#context.level));

    const workspace = this.#packed();
    for await (const { member, checksums: lines, index } of workspace.members()) {
      if (member !== null) {
        if (index !== '') await this.#addToIndex(index);
        await this.#write(member);
        // A stream may not have done with it.
        if (this.#context.output.path !== null) this.#buffers.give(member.buffer);
      }
      if (lines !== '') await checksums.write(Buffer.from(lines));
      this.#progress.files = workspace.files;
      this.#progress.bytes = workspace.bytes;
      this.#report();
    }
  }

  /** Adds the lines of the entries that begin in the member that is written next. */
  async #addToIndex(lines: string): Promise<void> {
    await this.#open().index.write(Buffer.from(memberLine(this.#context.output.size) + lines));
  }

  /** The header of an entry that was spooled, once it is complete. */
  #spooledHeader(name: ArchivePath, { size }: Spool): EntryHeader {
    const mtime = Math.floor(this.#context.time.getTime() / 1000);
    return { name, kind: 'file', mode: PRIVATE_MODE, mtime, size };
  }

  /** Writes an entry that was spooled: its header, and its members as they are. */
  async #splice(header: EntryHeader, spool: Spool): Promise<void> {
    await this.#write(compressMember(await encodeFileHeader(header), 'first', this.#context.level));
    // The spool reads into the same memory again and again, which a stream may not have done with.
    const keeps = this.#context.output.path === null;
    for await (const members of spool.read()) await this.#write(keeps ? Buffer.from(members) : members);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { output, signal } = this.#context;
    throwIfAborted(signal);
    await output.write(bytes);
    this.#progress.written = output.size;
  }

  #walk(onWarning: (warning: Warning) => void): WorkspaceWalk {
    return new WorkspaceWalk({
      root: this.#context.install.workspace,
      rules: this.#rules,
      scan: (task) => this.#pool.run('scan', task),
      concurrency: this.#pool.workers,
      onWarning,
    });
  }

  /** Counts a warning, and tells of it. */
  warn(warning: Warning): void {
    this.#warningCount += 1;
    if (warning.incomplete) this.#incomplete += 1;
    if (this.#warnings.length < LISTED_WARNINGS) this.#warnings.push(warning);
    this.#context.emit({ type: 'warning', warning });
  }

  #report(): void {
    this.#context.emit({ type: 'progress', progress: { ...this.#progress } });
  }

  #open(): Spools {
    if (this.#spools === null) throw new Error('open() comes first');
    return this.#spools;
  }

  #packed(): PackedWorkspace {
    if (this.#workspace === null) throw new Error('open() comes first');
    return this.#workspace;
  }
}

function file(name: ArchivePath, content: Buffer, mode: number, mtime: number): Entry {
  return { name, kind: 'file', mode, mtime, size: content.length, content };
}

function manifestOf({ install, version, lease: { datastore }, time }: BackupContext): Manifest {
  return {
    manifest_version: MANIFEST_VERSION,
    leoflow_version: version,
    schema_version: datastore.schemaVersion,
    postgres_version: `postgres (PostgreSQL) ${datastore.serverVersion}`,
    created_at: createdAt(time),
    writer: `leoflow-snapshot ${VERSION}`,
    source: {
      home: install.namedHome,
      workspace: install.workspace,
      hostname: hostname(),
      platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    },
    datastore: {
      database: datastore.database,
      server_version: datastore.serverVersion,
      pg_dump_version: datastore.tools.pgDumpVersion,
    },
    checksums: ENTRY.checksums,
    index: ENTRY.index,
  };
}
