/**
 * A spool: the compressed members of an entry whose size is known only at its end.
 *
 * A tar header states the size before the content. The dump and the checksums grow while the workspace is packed, so their members wait in
 * a private file, which has no name any more the moment it is open: nothing can be left behind, whatever happens.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOCK_BYTES } from './member.js';
import { openPrivate, writeAll } from './output.js';
import type { SpareBuffers } from './spare-buffers.js';
import { temporaryName } from './temporary.js';

const COPY_BYTES = 1 << 20;

/** A slice that was compressed. Both are in buffers that belong to the receiver. */
export interface CompressedSlice {
  member: Uint8Array<ArrayBuffer>;
  content: Uint8Array<ArrayBuffer>;
}

/** Compresses a slice of content in a worker; the slice is given away, and comes back with the member. */
export type CompressSlice = (content: Uint8Array<ArrayBuffer>) => Promise<CompressedSlice>;

export interface SpoolOptions {
  compress: CompressSlice;
  buffers: SpareBuffers;
  /** Slices being compressed at once. */
  limit: number;
}

/** Takes content, keeps its members, gives them back in order. */
export class Spool {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #compress: CompressSlice;
  readonly #buffers: SpareBuffers;
  readonly #limit: number;
  readonly #hash = createHash('sha256');
  /** Appends under way: each waits for its member and for the one before it. */
  readonly #appends: Promise<void>[] = [];
  #slice: Uint8Array<ArrayBuffer>;
  #filled = 0;
  #size = 0;

  private constructor(handle: FileHandle, path: string, { compress, buffers, limit }: SpoolOptions) {
    this.#handle = handle;
    this.#path = path;
    this.#compress = compress;
    this.#buffers = buffers;
    this.#limit = limit;
    this.#slice = this.#newSlice();
  }

  /**
   * Opens a spool in a directory that has room for it.
   *
   * @param name what it is for, for messages
   * @throws OUTPUT_DIRECTORY, OUTPUT_FULL, OUTPUT_WRITE
   */
  static async open(directory: string, name: string, options: SpoolOptions): Promise<Spool> {
    const path = join(directory, temporaryName(name));
    const handle = await openPrivate(path, directory);
    await unlink(path);
    // In messages it goes by the name of what it is for: its own is gone.
    return new Spool(handle, join(directory, name), options);
  }

  /** Bytes of content taken so far. */
  get size(): number {
    return this.#size;
  }

  /** Takes content; waits while too much of it is under way. @throws OUTPUT_FULL, OUTPUT_WRITE */
  async write(content: Uint8Array): Promise<void> {
    this.#size += content.length;
    for (let taken = 0; taken < content.length; ) {
      const part = content.subarray(taken, taken + this.#slice.length - this.#filled);
      this.#slice.set(part, this.#filled);
      this.#filled += part.length;
      taken += part.length;
      if (this.#filled === this.#slice.length) await this.#flush();
    }
  }

  /** Waits for all members. @returns the SHA-256 of all content, in hex */
  async end(): Promise<string> {
    if (this.#filled > 0) await this.#flush();
    for (const append of this.#appends.splice(0)) await append;
    return this.#hash.digest('hex');
  }

  /** Yields the members' bytes. A piece is valid until the next one is asked for. */
  async *read(): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.allocUnsafe(COPY_BYTES);
    for (let position = 0; ; ) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /** Gives the space back. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#appends);
    await this.#handle.close();
  }

  async #flush(): Promise<void> {
    const slice = this.#slice.subarray(0, this.#filled);
    this.#slice = this.#newSlice();
    this.#filled = 0;
    this.#hash.update(slice);
    const before = this.#appends.at(-1);
    const compressed = this.#compress(slice);
    const append = (async () => {
      const { member, content } = await compressed;
      this.#buffers.give(content.buffer);
      await before;
      await writeAll(this.#handle, this.#path, member);
      this.#buffers.give(member.buffer);
    })();
    append.catch(() => {});
    this.#appends.push(append);
    if (this.#appends.length >= this.#limit) await this.#appends.shift();
  }

  #newSlice(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffers.take(), 0, BLOCK_BYTES);
  }
}
