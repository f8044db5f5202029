/**
 * The workspace as members, in path order: the coordinator's side of packing.
 *
 * Small entries are packed by a worker in one go. A large file is opened here, once, so that all its segments come from the same file
 * whatever happens to its name; workers read and compress segments in any order. Its checksum cannot be split: the segments' content comes back
 * with the members, and is hashed here in order (docs/decisions/0003).
 */
import { createHash, type Hash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync } from 'node:fs';
import { join } from 'node:path';
import {
  BLOCK_BYTES,
  checksumLine,
  type EntryHeader,
  entryLine,
  type SpareBuffers,
  workspaceEntry,
} from './archive/index.js';
import { systemErrorText } from './errors.js';
import type { Warning } from './events.js';
import type { LeftOut } from './options.js';
import { inOrder, type WorkerPool } from './pool.js';
import {
  buffersOf,
  cutBlocks,
  type EntryTable,
  type GroupResult,
  openForReading,
  readWarning,
  type SegmentResult,
  type WorkspaceWalk,
  wholeSeconds,
} from './workspace/index.js';

export interface Packing {
  pool: WorkerPool;
  /** The workspace. */
  root: string;
  level: number;
  walk: WorkspaceWalk;
  buffers: SpareBuffers;
  onWarning(warning: Warning): void;
}

/** A member, the lines for SHA256SUMS of the files that are complete with it, and those for INDEX.jsonl of the entries that begin in it. */
export interface PackedMember {
  /** Belongs to the receiver. */
  member: Uint8Array<ArrayBuffer> | null;
  checksums: string;
  index: string;
}

/** A large file while its segments are packed. */
interface LargeFile {
  header: EntryHeader;
  path: string;
  fd: number;
  stats: BigIntStats;
  hash: Hash;
  /** What went wrong while it was read, if anything. */
  problem: string | null;
}

type Packed =
  | { type: 'group'; result: GroupResult }
  | { type: 'segment'; result: SegmentResult; file: LargeFile; first: boolean; last: boolean };

/** Packs a workspace once, and counts what it packed. */
export class PackedWorkspace {
  files = 0;
  directories = 0;
  symlinks = 0;
  /** Bytes of content. */
  bytes = 0;
  readonly #packing: Packing;
  readonly #opened = new Set<LargeFile>();

  constructor(packing: Packing) {
    this.#packing = packing;
  }

  /** What each rule left out. Complete when the members are. */
  get leftOut(): LeftOut[] {
    return this.#packing.walk.leftOut;
  }

  /** The members, in path order. */
  async *members(): AsyncGenerator<PackedMember> {
    // Each worker has one task at hand, one waiting, and one whose turn to be written has not come.
    for await (const packed of inOrder(this.#jobs(), 3 * this.#packing.pool.workers)) {
      if (packed.type === 'segment') {
        yield this.#segment(packed);
        continue;
      }
      let { result } = packed;
      yield this.#group(result);
      while (result.rest !== null) {
        result = await this.#pack(result.rest);
        yield this.#group(result);
      }
    }
  }

  /** Closes the files that are still open. Only when no worker reads them any more. */
  close(): void {
    for (const file of this.#opened) this.#closed(file);
  }

  async *#jobs(): AsyncGenerator<() => Promise<Packed>> {
    const { pool, root, level, walk, buffers, onWarning } = this.#packing;
    for await (const cut of cutBlocks(walk.entries())) {
      if (cut.type === 'group') {
        yield async () => ({ type: 'group', result: await this.#pack(cut.table) });
        continue;
      }
      const path = join(root, cut.row.path);
      let file: LargeFile;
      try {
        const { fd, stats } = openForReading(path);
        file = {
          header: {
            name: workspaceEntry(cut.row.path, false),
            kind: 'file',
            mode: cut.row.mode,
            mtime: wholeSeconds(stats.mtimeNs),
            size: Number(stats.size),
          },
          path,
          fd,
          stats,
          hash: createHash('sha256'),
          problem: null,
        };
      } catch (error) {
        onWarning(readWarning(path, error));
        continue;
      }
      this.#opened.add(file);
      const { header, fd } = file;
      for (let offset = 0; offset === 0 || offset < header.size; offset += BLOCK_BYTES) {
        const length = Math.min(BLOCK_BYTES, header.size - offset);
        const first = offset === 0;
        const last = offset + length >= header.size;
        yield async () => {
          const [buffer, target] = [buffers.take(), buffers.take()];
          const task = { fd, offset, length, header: first ? header : null, level, buffer, target };
          return { type: 'segment', result: await pool.run('segment', task, [buffer, target]), file, first, last };
        };
      }
    }
  }

  /** Packs a group, as much of it as fits a block. */
  #pack(table: EntryTable): Promise<GroupResult> {
    const { pool, root, level, buffers } = this.#packing;
    const target = buffers.take();
    return pool.run('group', { root, table, level, target }, [target, ...buffersOf(table)]);
  }

  #group(result: GroupResult): PackedMember {
    this.files += result.files;
    this.directories += result.directories;
    this.symlinks += result.symlinks;
    this.bytes += result.bytes;
    for (const warning of result.warnings) this.#packing.onWarning(warning);
    return result;
  }

  #segment({ result, file, first, last }: Packed & { type: 'segment' }): PackedMember {
    file.hash.update(result.content);
    file.problem ??= result.problem;
    this.bytes += result.content.length;
    this.#packing.buffers.give(result.content.buffer);
    const index = first ? entryLine(file.header) : '';
    if (!last) return { member: result.member, checksums: '', index };
    const fault = this.#closed(file);
    file.problem ??= fault;
    if (file.problem !== null) {
      this.#packing.onWarning({ code: 'changed', path: file.path, message: file.problem, incomplete: true });
    }
    this.files += 1;
    return { member: result.member, checksums: checksumLine(file.hash.digest('hex'), file.header.name), index };
  }

  /** Closes a file. @returns what went wrong while it was open, if anything: a network file system may say so only now */
  #closed(file: LargeFile): string | null {
    this.#opened.delete(file);
    try {
      let now: BigIntStats;
      try {
        now = fstatSync(file.fd, { bigint: true });
      } finally {
        closeSync(file.fd);
      }
      const isSteady = now.size === file.stats.size && now.mtimeNs === file.stats.mtimeNs;
      return isSteady ? null : 'it changed while it was read';
    } catch (error) {
      return `whether it changed while it was read cannot be told: ${systemErrorText(error)}`;
    }
  }
}
