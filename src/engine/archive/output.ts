/**
 * Where the archive goes. A file appears complete or not at all: it is written to a private temporary beside it, made durable, and renamed.
 */
import { once } from 'node:events';
import { constants, createWriteStream } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from '../errors.js';
import { clearStaleTemporaries, liveTemporaries, temporaryName } from './temporary.js';

/** Takes the bytes of an archive, in order. */
export interface ArchiveOutput {
  /** Absolute path of the finished archive; null for a stream. */
  readonly path: string | null;
  /** The file being written to; null for a stream. */
  readonly temporary: string | null;
  /** Bytes taken so far. */
  readonly size: number;
  /** Resolves when the bytes have been handed on and more may come. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the archive durable and gives it its name. */
  commit(): Promise<void>;
  /** Removes what was written. Does nothing after `commit()`. */
  discard(): Promise<void>;
}

/** Written bytes are pushed to the disk in steps of this size, so that the final flush is short. */
const FLUSH_BYTES = 64 << 20;

/**
 * Opens a path for an archive. Links are followed; a device or a FIFO is written to as the stream that it is.
 *
 * @throws OUTPUT_DIRECTORY, OUTPUT_IS_DIRECTORY, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_WRITE
 */
export async function openFileOutput(file: string, signal: AbortSignal): Promise<ArchiveOutput> {
  const path = await realpath(file).catch(() => resolve(file));
  const directory = dirname(path);
  const existing = await stat(path).catch(() => null);
  if (existing?.isDirectory() || file.endsWith('/')) {
    throw new SnapshotError('OUTPUT_IS_DIRECTORY', `the output ${file} is a directory`, {
      hint: `name a file in it: --output ${join(file, 'leoflow-backup.tar.gz')}`,
    });
  }
  if (existing !== null && !existing.isFile()) return openStreamOutput(createWriteStream(path), signal);
  const parent = await stat(directory).catch((cause: unknown) => {
    throw new SnapshotError('OUTPUT_DIRECTORY', `the output directory ${directory}: ${systemErrorText(cause)}`, {
      hint: `create it first: mkdir -p ${directory}`,
      cause,
    });
  });
  if (!parent.isDirectory()) {
    throw new SnapshotError('OUTPUT_DIRECTORY', `the output directory ${directory} is not a directory`, {
      hint: 'choose another --output',
    });
  }
  await clearStaleTemporaries(directory);
  const name = basename(path);
  await refuseIfBusy(directory, name, path, () => true);
  const temporary = join(directory, temporaryName(name));
  const handle = await openPrivate(temporary, directory);
  const output = new FileOutput(path, temporary, handle);
  try {
    // Two that started in the same moment have not seen each other above; now the one with the greater name gives way.
    await refuseIfBusy(directory, name, path, (other) => other < basename(temporary));
  } catch (error) {
    await output.discard();
    throw error;
  }
  return output;
}

/**
 * An archive that streams into something else; what has been written cannot be taken back.
 *
 * @param signal ends a wait for a reader that does not read
 */
export function openStreamOutput(stream: Writable, signal: AbortSignal): ArchiveOutput {
  let size = 0;
  let failure: unknown;
  stream.on('error', (error) => {
    failure ??= error;
  });
  const check = () => {
    if (failure === undefined) return;
    throw new SnapshotError('OUTPUT_WRITE', `the output stream failed: ${systemErrorText(failure)}`, {
      hint: 'the program that reads the archive stopped early; look at its own message',
      cause: failure,
    });
  };
  return {
    path: null,
    temporary: null,
    get size() {
      return size;
    },
    async write(bytes) {
      check();
      size += bytes.length;
      if (!stream.write(bytes)) await drained(stream, signal);
      throwIfAborted(signal);
      check();
    },
    async commit() {
      stream.end();
      await finished(stream, { readable: false, signal }).catch((error: unknown) => {
        failure ??= error;
      });
      check();
    },
    async discard() {},
  };
}

/** Resolves when a stream takes more, has failed or was closed, or the signal fires; leaves no listener behind. */
async function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const either = { signal: AbortSignal.any([signal, done.signal]) };
  await Promise.race([once(stream, 'drain', either), once(stream, 'close', either)]).catch(() => {});
  done.abort();
}

/**
 * Opens a private temporary file: mode 0600, and nobody else's (O_EXCL).
 *
 * @throws OUTPUT_DIRECTORY, OUTPUT_FULL, OUTPUT_WRITE
 */
export async function openPrivate(path: string, directory: string): Promise<FileHandle> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  return open(path, flags, 0o600).catch((cause: unknown) => {
    if (['EACCES', 'EPERM', 'EROFS'].includes(systemErrorCode(cause) ?? '')) {
      throw new SnapshotError(
        'OUTPUT_DIRECTORY',
        `cannot write to the directory ${directory}: ${systemErrorText(cause)}`,
        {
          hint: 'choose another --output, or make the directory writable',
          cause,
        },
      );
    }
    throw writeError(path, cause);
  });
}

/** Writes all of `bytes` at the file's end. @throws OUTPUT_FULL, OUTPUT_WRITE */
export async function writeAll(handle: FileHandle, path: string, bytes: Uint8Array): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      done += (await handle.write(bytes, done, bytes.length - done, null)).bytesWritten;
    }
  } catch (cause) {
    throw writeError(path, cause);
  }
}

/** Makes a rename or an unlink in the directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } catch (error) {
    // Some file systems (SMB, FUSE) cannot; they have nothing better to offer.
    if (!['EINVAL', 'ENOTSUP', 'EISDIR'].includes(systemErrorCode(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

class FileOutput implements ArchiveOutput {
  readonly path: string;
  readonly temporary: string;
  readonly #handle: FileHandle;
  #size = 0;
  #flushed = 0;
  #flushing: Promise<void> = Promise.resolve();
  #settled = false;

  constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.temporary = temporary;
    this.#handle = handle;
  }

  get size(): number {
    return this.#size;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#handle, this.temporary, bytes);
    this.#size += bytes.length;
    if (this.#size - this.#flushed < FLUSH_BYTES) return;
    this.#flushed = this.#size;
    await this.#flushing;
    this.#flushing = this.#handle.datasync();
    // Looked at by the next flush or by commit(); until then a failure must not count as unhandled.
    this.#flushing.catch(() => {});
  }

  async commit(): Promise<void> {
    try {
      await this.#flushing;
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.temporary, this.path);
    } catch (cause) {
      throw writeError(this.path, cause);
    }
    this.#settled = true;
    await syncDirectory(dirname(this.path));
  }

  async discard(): Promise<void> {
    if (this.#settled) return;
    this.#settled = true;
    await this.#flushing.catch(() => {});
    await this.#handle.close().catch(() => {});
    await unlink(this.temporary).catch(() => {});
  }
}

async function refuseIfBusy(
  directory: string,
  name: string,
  path: string,
  counts: (other: string) => boolean,
): Promise<void> {
  const other = (await liveTemporaries(directory, name)).find((candidate) => counts(candidate.file));
  if (other === undefined) return;
  throw new SnapshotError('OUTPUT_BUSY', `another backup (process ${other.pid}) is writing ${path}`, {
    hint: 'wait for it to end, or choose another --output',
  });
}

function writeError(path: string, cause: unknown): unknown {
  if (systemErrorCode(cause) === undefined) return cause;
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemErrorCode(cause) ?? '')) {
    return new SnapshotError('OUTPUT_FULL', `no room to write ${path}: ${systemErrorText(cause)}`, {
      hint: 'free some space, or write the archive to another file system with --output',
      cause,
    });
  }
  return new SnapshotError('OUTPUT_WRITE', `cannot write ${path}: ${systemErrorText(cause)}`, {
    hint: 'check the disk and the permissions of the output directory',
    cause,
  });
}
