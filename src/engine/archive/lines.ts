/**
 * Lines of text, more than the memory takes: in a private file that has no name any more the moment it is open.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants as fs, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { throwIfAborted } from '../errors.js';
import { fileChunks } from './file-chunks.js';
import { LineSplitter } from './line-splitter.js';
import { temporaryName } from './temporary.js';

const BUFFER_BYTES = 256 << 10;

/** Lines in a private file without a name, and their digest. */
export class Lines {
  bytes = 0;
  readonly fd: number;
  readonly #hash = createHash('sha256');
  /** What is not in the file yet. */
  #pending: Buffer | null = null;
  #pendingBytes = 0;

  constructor(directory: string) {
    const path = join(directory, temporaryName('lines'));
    this.fd = openSync(path, fs.O_RDWR | fs.O_CREAT | fs.O_EXCL | fs.O_NOFOLLOW, 0o600);
    unlinkSync(path);
  }

  /** Adds whole lines, or pieces of them. They are copied. */
  add(text: string | Uint8Array): void {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    this.#hash.update(bytes);
    this.#pending ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
    for (let taken = 0; taken < bytes.length; ) {
      const part = bytes.subarray(taken, taken + BUFFER_BYTES - this.#pendingBytes);
      this.#pending.set(part, this.#pendingBytes);
      this.#pendingBytes += part.length;
      taken += part.length;
      if (this.#pendingBytes === BUFFER_BYTES) this.#write(this.#pending);
    }
  }

  flush(): void {
    if (this.#pending !== null) this.#write(this.#pending);
    this.#pending = null;
  }

  #write(pending: Buffer): void {
    for (let done = 0; done < this.#pendingBytes; ) {
      const written = writeSync(this.fd, pending, done, this.#pendingBytes - done, this.bytes);
      done += written;
      this.bytes += written;
    }
    this.#pendingBytes = 0;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  /**
   * The lines, again from the first. (`readline` would also break them at other characters that names may hold.)
   *
   * @param longest characters that a line may have; more throws what `tooLong` makes of it
   * @throws INTERRUPTED
   */
  async *read(longest: number, tooLong: (line: string) => Error, signal: AbortSignal): AsyncGenerator<string> {
    const splitter = new LineSplitter(longest, tooLong);
    for await (const chunk of fileChunks(this.fd, BUFFER_BYTES)) {
      throwIfAborted(signal);
      yield* splitter.push(chunk);
    }
    const rest = splitter.end();
    if (rest !== '') yield rest;
  }

  close(): void {
    closeSync(this.fd);
  }
}
