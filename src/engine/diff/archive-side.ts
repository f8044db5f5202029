/**
 * An archive as one side of a comparison.
 *
 *     of ours:    blocks ─▶ workers read headers ─┬─▶ entries, in path order as they stand
 *                 SHA256SUMS, line by line ───────┘        the content of large files is passed over
 *                 dump ─▶ workers inflate ─▶ rows counted
 *     any other:  one stream ─▶ entries with checksums, sorted, hard links with those of what they point to; rows counted on the way
 */
import { createHash, type Hash } from 'node:crypto';
import {
  damaged,
  ENTRY,
  hardLinkTarget,
  type Manifest,
  placeOf,
  type Role,
  readStream,
  release,
} from '../archive/index.js';
import { RowCounter } from '../datastore/index.js';
import { throwIfAborted } from '../errors.js';
import { cutRuns, type Run } from '../member-runs.js';
import type { OpenedArchive } from '../opened-archive.js';
import { inOrder, type WorkerPool } from '../pool.js';
import { arriving, type BlockEntry, checkKnownSize, type ListedEntry, listed } from '../workspace/index.js';
import { EntriesWithHardLinks } from './hard-links.js';
import { ListedSums } from './listed-sums.js';
import type { Side } from './side.js';

export interface ArchiveSideOptions {
  name: string;
  archive: OpenedArchive;
  pool: WorkerPool;
  /** Told of bytes of the archive that are dealt with. */
  onRead(bytes: number): void;
  signal: AbortSignal;
}

/** The side that an open archive is. Closing it closes the archive. */
export function archiveSide(options: ArchiveSideOptions): Side & { manifest: Manifest; load(): Promise<void> } {
  return options.archive.members === null ? new StreamedSide(options) : new IndexedSide(options);
}

abstract class ArchiveSide {
  readonly root = null;
  readonly name: string;
  readonly manifest: Manifest;
  readonly isFull: boolean;
  config: Buffer | null;
  setup: Buffer | null;
  protected readonly options: ArchiveSideOptions;

  constructor(options: ArchiveSideOptions) {
    const { name, archive } = options;
    this.options = options;
    this.name = name;
    this.manifest = archive.manifest;
    this.isFull = archive.manifest.writer !== undefined;
    this.config = archive.config;
    this.setup = archive.setup;
  }

  unseen(): null {
    return null;
  }

  async close(): Promise<void> {
    await this.options.archive.handle.close();
  }
}

class IndexedSide extends ArchiveSide implements Side {
  #runs: Run[] = [];

  async load(): Promise<void> {
    const { archive, signal } = this.options;
    this.#runs = await cutRuns(archive.handle.fd, archive.members ?? [], signal);
    // Of one that is too large, opening the archive has kept the beginning.
    for (const run of this.#runs)
      if (run.type === 'file' && run.role !== null) checkKnownSize(run.role, run.header.size);
  }

  async *entries(): AsyncGenerator<ListedEntry[]> {
    const { archive, pool, onRead, signal } = this.options;
    const sums = new ListedSums(archive.handle.fd, this.#runs.find(isRole('checksums')));
    const isPassedOver = [isRole('checksums'), isRole('datastore'), isIndex];
    const rest = this.#runs.filter((run) => !isPassedOver.some((is) => is(run)));
    for await (const { run, json } of inOrder(this.#jobs(rest), 3 * pool.workers)) {
      throwIfAborted(signal);
      const batch: ListedEntry[] = [];
      for (const { line, entry } of JSON.parse(json) as BlockEntry[]) {
        const sha256 = line === null ? null : sums.take(line);
        if (entry !== null) batch.push({ ...entry, sha256 });
      }
      onRead(sizeOf(run));
      yield batch;
    }
  }

  async rows(): Promise<ReadonlyMap<string, number>> {
    const { archive, pool, onRead, signal } = this.options;
    const { fd } = archive.handle;
    const counter = new RowCounter();
    const dump = this.#runs.find(isRole('datastore'));
    if (dump?.type !== 'file') throw damaged('there is no datastore.sql in it');
    async function* jobs() {
      for (const { member, skip, length } of dump?.type === 'file' ? dump.segments : []) {
        yield () => arriving(pool.run('inflate', { fd, member, skip, length, target: null, seals: false }));
      }
    }
    for await (const { content } of inOrder(jobs(), pool.workers + 1)) {
      throwIfAborted(signal);
      counter.push(content);
      release(content);
    }
    onRead(sizeOf(dump));
    return counter.tables;
  }

  async *#jobs(runs: readonly Run[]): AsyncGenerator<() => Promise<{ run: Run; json: string }>> {
    const { archive, pool } = this.options;
    const { fd } = archive.handle;
    for (const run of runs) {
      if (run.type === 'block') {
        const { member } = run;
        yield async () => ({ run, ...(await arriving(pool.run('list', { fd, member }))) });
      } else {
        const { header, path } = run;
        const entry = path === null ? null : listed(path, header);
        const entries: BlockEntry[] = [{ line: header.name, entry }];
        yield async () => ({ run, json: JSON.stringify(entries) });
      }
    }
  }
}

function isRole(role: Role): (run: Run) => boolean {
  return (run) => run.type === 'file' && run.role === role;
}

/** It stands behind the dump, and so does its line in SHA256SUMS. */
function isIndex(run: Run): boolean {
  return run.type === 'file' && run.name === ENTRY.index;
}

function sizeOf(run: Run): number {
  return run.type === 'block' ? run.member.size : run.segments.reduce((sum, { member }) => sum + member.size, 0);
}

class StreamedSide extends ArchiveSide implements Side {
  readonly #entries = new EntriesWithHardLinks();
  readonly #counter = new RowCounter();

  /** Reads all of it. */
  async load(): Promise<void> {
    const { archive, signal, onRead } = this.options;
    const { fd } = archive.handle;
    let entry: ListedEntry | null = null;
    let target: string | null = null;
    let role: Role | null = null;
    let hash: Hash | null = null;
    let pieces: Buffer[] = [];
    let read = 0;
    const onProgress = (bytes: number) => {
      onRead(bytes - read);
      read = bytes;
    };
    for await (const event of readStream(fd, archive.size, signal, onProgress)) {
      if (event.type === 'entry') {
        const { header } = event;
        const place = placeOf(header.name, header.kind === 'directory' ? 'directory' : 'other');
        entry = place.type === 'workspace' ? this.#known(listed(place.path, header)) : null;
        target = entry !== null && header.kind === 'hardlink' ? hardLinkTarget(header.linkname, header.name) : null;
        role = place.type === 'known' && header.kind === 'file' ? place.role : null;
        if (role !== null) checkKnownSize(role, header.size);
        hash = entry?.kind === 'file' && header.kind === 'file' ? createHash('sha256') : null;
        pieces = [];
      } else if (event.type === 'content') {
        hash?.update(event.bytes);
        if (role === 'datastore') this.#counter.push(event.bytes);
        else if (role === 'config' || role === 'setup') pieces.push(Buffer.from(event.bytes));
      } else {
        if (entry !== null && target !== null) this.#entries.addHardLink(entry, target);
        else if (entry !== null) this.#entries.add({ ...entry, sha256: hash?.digest('hex') ?? null });
        if (role === 'config' || role === 'setup') this[role] = Buffer.concat(pieces);
        entry = null;
      }
    }
  }

  async *entries(): AsyncGenerator<ListedEntry[]> {
    for await (const entry of this.#entries.read(this.options.signal)) yield [entry];
  }

  async rows(): Promise<ReadonlyMap<string, number>> {
    return this.#counter.tables;
  }

  override async close(): Promise<void> {
    this.#entries.close();
    await super.close();
  }

  /** What it says of modes and times means nothing where it keeps neither. */
  #known(entry: ListedEntry | null): ListedEntry | null {
    return entry === null || this.isFull ? entry : { ...entry, mode: null, mtime: null };
  }
}
