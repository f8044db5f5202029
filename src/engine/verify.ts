/**
 * Verify: whether archives are good, and if not, what of them is damaged.
 *
 *     check:    read and check all of it, as a restore would, and every member to the last bit      parallel, at the speed of inflating
 *               with `deep`, at the same time: dump → psql, locked → a database that is dropped again
 *     examine:  only where that failed: go on behind the damage, and name every entry that it hit
 */
import type { FileHandle } from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { ChecksumLedger, damaged, firstHeader } from './archive/index.js';
import { incompleteOf } from './contents.js';
import { RowCounter } from './datastore/index.js';
import type { DumpSink } from './dump-sink.js';
import { interrupted, SnapshotError, throwIfAborted } from './errors.js';
import type { RestoreProgress } from './events.js';
import { Examination } from './examination.js';
import { Extraction } from './extraction.js';
import { defaultHome } from './install/index.js';
import { judgeArchive, openInput } from './opened-archive.js';
import { WorkerPool, workersOf } from './pool.js';
import { ReplayGround } from './replay-ground.js';
import { asReadError } from './scratch-error.js';
import type { Verdict, VerifyEvent, VerifyOptions, VerifyProgress, VerifyResult } from './verify-options.js';
import { DeferredEntries } from './workspace/index.js';

/** Errors that say something of the archive; any other says something of this machine. */
const OF_THE_ARCHIVE: Partial<Record<SnapshotError['code'], Exclude<Verdict['verdict'], 'good'>>> = {
  INPUT_NOT_FOUND: 'not-an-archive',
  INPUT_UNREADABLE: 'not-an-archive',
  NOT_AN_ARCHIVE: 'not-an-archive',
  MANIFEST_MISSING: 'not-an-archive',
  MANIFEST_INVALID: 'damaged',
  MANIFEST_VERSION: 'refused',
  ARCHIVE_DAMAGED: 'damaged',
  ARCHIVE_TRUNCATED: 'damaged',
  ARCHIVE_UNSAFE: 'refused',
  CHECKSUM_MISMATCH: 'damaged',
  DUMP_INVALID: 'damaged',
  REPLAY_FAILED: 'damaged',
  REPLAY_UNSAFE: 'refused',
};

/**
 * Verifies archives, one after the other, each by all workers.
 *
 * @returns a verdict on each; one that is damaged, or no archive, is no error
 * @throws SnapshotError: INTERRUPTED, and with `deep` what is wrong with the server
 */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  const started = performance.now();
  throwIfAborted(options.signal);
  const run = new VerifyRun(options, await WorkerPool.start(workersOf(options)));
  try {
    const verdicts: Verdict[] = [];
    await run.survey();
    for (const archive of options.archives) {
      const verdict = await run.verify(archive);
      verdicts.push(verdict);
      options.onEvent?.({ type: 'verdict', verdict });
    }
    const good = verdicts.every(({ verdict }) => verdict === 'good');
    return { good, verdicts, durationMs: performance.now() - started, workers: run.workers };
  } catch (error) {
    throw options.signal?.aborted ? interrupted() : asReadError(error);
  } finally {
    await run.close();
  }
}

/** Verifying under way: what is held for all archives. */
class VerifyRun {
  readonly #options: VerifyOptions;
  readonly #emit: (event: VerifyEvent) => void;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #pool: WorkerPool;
  #ground: ReplayGround | null = null;
  /** Of the archives that are done, and the size of all. */
  #done: VerifyProgress = { files: 0, bytes: 0, dumpBytes: 0, read: 0, size: 0 };

  constructor(options: VerifyOptions, pool: WorkerPool) {
    this.#options = options;
    this.#emit = (event) => options.onEvent?.(event);
    const { signal: stop } = this.#stop;
    this.#signal = options.signal === undefined ? stop : AbortSignal.any([options.signal, stop]);
    this.#pool = pool;
    this.#signal.addEventListener('abort', () => void this.#pool.destroy(), { once: true });
  }

  get workers(): number {
    return this.#pool.workers;
  }

  /** Finds out how much there is to read. */
  async survey(): Promise<void> {
    for (const archive of this.#options.archives) {
      if (typeof archive !== 'string') continue;
      this.#done.size += await stat(archive).then(
        ({ size }) => size,
        () => 0,
      );
    }
  }

  async verify(input: VerifyOptions['archives'][number]): Promise<Verdict> {
    const started = performance.now();
    const verdict = newVerdict(typeof input === 'string' ? input : null);
    this.#emit({ type: 'phase', phase: 'check' });
    let handle: FileHandle | null = null;
    try {
      handle = await openInput(input, this.#signal);
      verdict.size = (await handle.stat()).size;
      if (typeof input !== 'string') this.#done.size += verdict.size;
      await this.#check(handle, verdict);
      throwIfAborted(this.#signal);
      verdict.verdict = 'good';
    } catch (thrown) {
      throwIfAborted(this.#signal);
      const error = asReadError(thrown);
      // For a server that is no place for it, no archive is to blame.
      const isGround = this.#ground === null && error instanceof SnapshotError && error.code === 'REPLAY_UNSAFE';
      const kind = error instanceof SnapshotError && !isGround ? OF_THE_ARCHIVE[error.code] : undefined;
      if (!(error instanceof SnapshotError) || kind === undefined) throw error;
      verdict.verdict = kind;
      verdict.problems = [{ code: error.code, message: error.message }];
      verdict.problemCount = 1;
      if (handle !== null && kind === 'damaged' && error.code !== 'REPLAY_FAILED') await this.#examine(handle, verdict);
    } finally {
      await handle?.close();
    }
    const { files, bytes, dumpBytes, size } = verdict;
    this.#done = add(this.#done, { files, bytes, dumpBytes, read: size });
    this.#emit({ type: 'progress', progress: { ...this.#done } });
    return { ...verdict, durationMs: performance.now() - started };
  }

  /** Ends the workers, and leaves the server as it was. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#pool.destroy();
    await this.#ground?.close();
  }

  /** All that a restore would check, and the seals. @throws SnapshotError at the first thing that is wrong */
  async #check(handle: FileHandle, verdict: Verdict): Promise<void> {
    if (firstHeader(handle.fd) === 'damaged') throw damaged('the header of its first member is not as it was written');
    const archive = await judgeArchive(handle, this.#signal);
    const { manifest, members, dump } = archive;
    verdict.manifest = manifest;
    verdict.members = members?.length ?? null;
    if (dump === null) throw damaged('there is no datastore.sql in it');
    const rows = new RowCounter();
    const sink = this.#options.deep === true ? (await this.#openGround()).begin(dump) : null;
    const onDump = async (content: Uint8Array) => {
      if (sink === null) return;
      rows.push(content);
      await sink.write(content);
    };
    const ledger = new ChecksumLedger(tmpdir());
    const deferred = new DeferredEntries(tmpdir());
    const onProgress = (progress: RestoreProgress) => {
      this.#emit({ type: 'progress', progress: add(this.#done, progress) });
    };
    const extraction = new Extraction({
      archive,
      pool: this.#pool,
      root: null,
      ledger,
      deferred,
      seals: true,
      onDump,
      onProgress,
      signal: this.#signal,
    });
    try {
      await extraction.run();
    } catch (error) {
      sink?.fail(error);
      await sink?.staged.catch(() => {});
      throw error;
    } finally {
      const { files, bytes, dumpBytes } = extraction.progress;
      const { directories, links } = deferred;
      Object.assign(verdict, { files, bytes, dumpBytes, directories, links, checksums: ledger.hasList });
      ledger.close();
      deferred.close();
    }
    verdict.incomplete = incompleteOf({ fd: handle.fd, members, manifest });
    if (sink !== null) verdict.replayed = await this.#replayed(sink, rows);
  }

  /** Waits until the dump is replayed, and drops what it made. @throws REPLAY_FAILED, REPLAY_UNSAFE */
  async #replayed(sink: DumpSink, rows: RowCounter): Promise<Verdict['replayed']> {
    sink.end();
    const database = await sink.staged;
    await database?.discard();
    return { server: this.#ground?.server ?? '', tables: rows.tables.size, rows: rows.rows };
  }

  async #openGround(): Promise<ReplayGround> {
    const { home, dsn, pgBin } = this.#options;
    this.#ground ??= await ReplayGround.open({ home: home ?? defaultHome(), dsn, pgBin, signal: this.#signal });
    return this.#ground;
  }

  async #examine(handle: FileHandle, verdict: Verdict): Promise<void> {
    this.#emit({ type: 'phase', phase: 'examine' });
    const ledger = new ChecksumLedger(tmpdir());
    try {
      const { fd } = handle;
      const { size } = verdict;
      const indexed = firstHeader(fd) !== 'none';
      const examination = new Examination({ fd, size, indexed, pool: this.#pool, ledger, signal: this.#signal });
      await examination.run();
      const { problems, problemCount, entries, entryCount } = examination;
      // What broke off the check is among them, unless it is something that only the whole shows.
      const isAmong = problemCount > 0 && verdict.problems.every(({ code }) => code === 'ARCHIVE_DAMAGED');
      const others = problems.filter(({ message }) => message !== verdict.problems[0]?.message);
      verdict.problems = isAmong ? problems : [...verdict.problems, ...others];
      verdict.problemCount = isAmong ? problemCount : 1 + problemCount - (problems.length - others.length);
      Object.assign(verdict, { entries, entryCount });
    } finally {
      ledger.close();
    }
  }
}

function newVerdict(archive: string | null): Verdict {
  return {
    archive,
    verdict: 'damaged',
    size: 0,
    manifest: null,
    incomplete: null,
    members: null,
    checksums: false,
    files: 0,
    directories: 0,
    links: 0,
    bytes: 0,
    dumpBytes: 0,
    replayed: null,
    problems: [],
    problemCount: 0,
    entries: [],
    entryCount: 0,
    durationMs: 0,
  };
}

/** Counts of the archives before, with those of one more. */
function add(before: VerifyProgress, more: Omit<VerifyProgress, 'size'>): VerifyProgress {
  return {
    files: before.files + more.files,
    bytes: before.bytes + more.bytes,
    dumpBytes: before.dumpBytes + more.dumpBytes,
    read: before.read + more.read,
    size: before.size,
  };
}
