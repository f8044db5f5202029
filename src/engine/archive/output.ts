/**
 * Where the archive goes. A file appears complete or not at all: it is written to a private temporary beside it, made durable, and renamed.
 */
import { constants, openSync, realpathSync, type Stats } from 'node:fs';
import { type FileHandle, open, readlink, realpath, rename, stat, unlink } from 'node:fs/promises';
import { Socket } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { interrupted, isNoRoom, SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from '../errors.js';
import { clearStaleTemporaries, liveTemporaries, temporaryName } from './temporary.js';

/** Takes the bytes of an archive, in order. */
export interface ArchiveOutput {
  /** Absolute path of the finished archive; null for a stream. */
  readonly path: string | null;
  /** The file being written to; null for a stream that leads to none, as far as the system tells. */
  readonly temporary: string | null;
  /** Bytes taken so far. */
  readonly size: number;
  /** Resolves when the bytes have been handed on and more may come. A stream may go on using them; a file does not. */
  write(bytes: Uint8Array): Promise<void>;
  /** Whether the archive has its name, and what was there before is gone. */
  readonly isInPlace: boolean;
  /** Makes the archive durable and gives it its name, unless the signal fires before. */
  commit(): Promise<void>;
  /** Removes what was written. Does nothing after `commit()`. */
  discard(): Promise<void>;
}

/** Archives that this process is writing: a temporary's name tells other processes. */
const beingWritten = new Set<string>();

/** Written bytes are pushed to the disk in steps of this size, so that the final flush is short. */
const FLUSH_BYTES = 64 << 20;

/**
 * Opens a path for an archive. Links are followed; a device or a FIFO is written to as the stream that it is.
 *
 * @throws OUTPUT_DIRECTORY, OUTPUT_IS_DIRECTORY, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_WRITE
 */
export async function openFileOutput(file: string, signal: AbortSignal): Promise<ArchiveOutput> {
  const path = await followed(resolve(file));
  const directory = dirname(path);
  const existing = await stat(path).catch(() => null);
  if (existing?.isDirectory() || file.endsWith('/')) {
    throw new SnapshotError('OUTPUT_IS_DIRECTORY', `the output ${file} is a directory`, {
      hint: `name a file in it: --output ${join(file, 'leoflow-backup.tar.gz')}`,
    });
  }
  if (existing !== null && !existing.isFile()) {
    const stream = await openSpecial(path, existing, signal);
    return openStreamOutput(stream, signal, { close: true });
  }
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
  if (beingWritten.has(path)) throw busy(process.pid, path);
  // Between these two no other backup of this process gets in.
  beingWritten.add(path);
  let output: FileOutput | null = null;
  try {
    await refuseIfBusy(directory, name, path, () => true);
    const temporary = join(directory, temporaryName(name));
    output = new FileOutput(path, temporary, await openPrivate(temporary, directory), signal);
    // Two that started in the same moment have not seen each other above; now the one with the greater name gives way.
    await refuseIfBusy(directory, name, path, (other) => other < basename(temporary));
    return output;
  } catch (error) {
    if (output === null) beingWritten.delete(path);
    else await output.discard();
    throw error;
  }
}

/** Where a path leads: through all links, also where the last one leads to nothing yet. */
async function followed(path: string, links = 40): Promise<string> {
  const real = await realpath(path).catch(() => null);
  if (real !== null) return real;
  const target = await readlink(path).catch(() => null);
  if (target === null || links === 0) return path;
  return followed(resolve(dirname(path), target), links - 1);
}

/**
 * An archive that streams into something else; what has been written cannot be taken back.
 *
 * @param signal ends a wait for a reader that does not read
 * @param more `close`: the stream is ours, and destroyed when the archive is discarded
 */
export function openStreamOutput(stream: Writable, signal: AbortSignal, more: { close?: boolean } = {}): ArchiveOutput {
  let size = 0;
  let failure: unknown;
  stream.on('error', (error) => {
    failure ??= error;
  });
  const check = () => {
    if (failure !== undefined) throw streamError(failure);
  };
  const checkOpen = () => {
    if (stream.destroyed) failure ??= stream.errored ?? new Error('it was closed');
    check();
  };
  return {
    path: null,
    isInPlace: false,
    get temporary() {
      return fileBehind(stream);
    },
    get size() {
      return size;
    },
    async write(bytes) {
      checkOpen();
      size += bytes.length;
      if (!stream.write(bytes)) await drained(stream, signal);
      throwIfAborted(signal);
      checkOpen();
    },
    async commit() {
      stream.end();
      await finished(stream, { readable: false, signal }).catch((error: unknown) => {
        failure ??= error;
      });
      throwIfAborted(signal);
      check();
    },
    async discard() {
      if (more.close === true) stream.destroy();
    },
  };
}

/** The file that a stream writes to, by its descriptor; null where there is none (any more), or no `/proc` to ask. */
function fileBehind(stream: Writable): string | null {
  try {
    return 'fd' in stream && typeof stream.fd === 'number' ? realpathSync(`/proc/self/fd/${stream.fd}`) : null;
  } catch {
    return null;
  }
}

/** Resolves when a stream takes more, has failed or was closed, or the signal fires; leaves no listener behind. */
function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'close', 'error']) stream.off(event, done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) stream.on(event, done);
    signal.addEventListener('abort', done);
  });
}

/** Time between two looks whether a FIFO has a reader, in milliseconds. */
const READER_POLL = 100;

/** Opens a device, or a FIFO once somebody reads it: in ways that a signal can end, which waits inside of open() and write() are not. */
async function openSpecial(path: string, stats: Stats, signal: AbortSignal): Promise<Writable> {
  for (;;) {
    throwIfAborted(signal);
    try {
      if (!stats.isFIFO()) return (await open(path, constants.O_WRONLY)).createWriteStream();
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      return new Socket({ fd, readable: false, writable: true });
    } catch (cause) {
      if (!stats.isFIFO() || systemErrorCode(cause) !== 'ENXIO') throw writeError(path, cause);
    }
    await sleep(READER_POLL, undefined, { signal }).catch(() => {
      throw interrupted();
    });
  }
}

function streamError(cause: unknown): SnapshotError {
  const text = systemErrorText(cause);
  if (isNoRoom(systemErrorCode(cause))) {
    return new SnapshotError('OUTPUT_FULL', `no room to write the archive: ${text}`, {
      hint: 'free some space, or write the archive to another file system',
      cause,
    });
  }
  return new SnapshotError('OUTPUT_WRITE', `the output stream failed: ${text}`, {
    hint: 'the program that reads the archive stopped early; look at its own message',
    cause,
  });
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
  const handle = await open(directory, constants.O_RDONLY).catch((error: unknown) => {
    // A directory that may be written but not read cannot be flushed either.
    if (systemErrorCode(error) === 'EACCES') return null;
    throw error;
  });
  try {
    await handle?.sync();
  } catch (error) {
    // Some file systems (SMB, FUSE) cannot; they have nothing better to offer.
    if (!['EINVAL', 'ENOTSUP', 'EISDIR'].includes(systemErrorCode(error) ?? '')) throw error;
  } finally {
    await handle?.close();
  }
}

/** A file; its path is in {@link beingWritten} until it is settled. */
class FileOutput implements ArchiveOutput {
  readonly path: string;
  readonly temporary: string;
  readonly #handle: FileHandle;
  readonly #signal: AbortSignal;
  #size = 0;
  #flushed = 0;
  #flushing: Promise<void> = Promise.resolve();
  #settled = false;
  #isInPlace = false;

  constructor(path: string, temporary: string, handle: FileHandle, signal: AbortSignal) {
    this.path = path;
    this.temporary = temporary;
    this.#handle = handle;
    this.#signal = signal;
  }

  get size(): number {
    return this.#size;
  }

  get isInPlace(): boolean {
    return this.#isInPlace;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#handle, this.path, bytes);
    this.#size += bytes.length;
    if (this.#size - this.#flushed < FLUSH_BYTES) return;
    this.#flushed = this.#size;
    await this.#flushing.catch((cause: unknown) => {
      throw writeError(this.path, cause);
    });
    this.#flushing = this.#handle.datasync();
    // Looked at by the next flush or by commit(); until then a failure must not count as unhandled.
    this.#flushing.catch(() => {});
  }

  async commit(): Promise<void> {
    try {
      await this.#flushing;
      await this.#handle.sync();
      await this.#handle.close();
    } catch (cause) {
      throw writeError(this.path, cause);
    }
    // The flush can take long; whoever stopped it meanwhile does not want the archive any more.
    throwIfAborted(this.#signal);
    await rename(this.temporary, this.path).catch((cause: unknown) => {
      throw writeError(this.path, cause);
    });
    this.#isInPlace = true;
    this.#settle();
    await syncDirectory(dirname(this.path)).catch((cause: unknown) => {
      throw new SnapshotError(
        'OUTPUT_WRITE',
        `the archive ${this.path} is whole and in its place, but its directory cannot be flushed to the disk: ${systemErrorText(cause)}`,
        { hint: 'after a power cut it may be gone: check the disk, and run the backup again', cause },
      );
    });
  }

  async discard(): Promise<void> {
    if (this.#settled) return;
    await this.#flushing.catch(() => {});
    await this.#handle.close().catch(() => {});
    await unlink(this.temporary).catch(() => {});
    this.#settle();
  }

  #settle(): void {
    this.#settled = true;
    beingWritten.delete(this.path);
  }
}

async function refuseIfBusy(
  directory: string,
  name: string,
  path: string,
  counts: (other: string) => boolean,
): Promise<void> {
  const other = (await liveTemporaries(directory, name)).find((candidate) => counts(candidate.file));
  if (other !== undefined) throw busy(other.pid, path);
}

function busy(pid: number, path: string): SnapshotError {
  return new SnapshotError('OUTPUT_BUSY', `another backup (process ${pid}) is writing ${path}`, {
    hint: 'wait for it to end, or choose another --output',
  });
}

function writeError(path: string, cause: unknown): unknown {
  if (systemErrorCode(cause) === undefined) return cause;
  if (isNoRoom(systemErrorCode(cause))) {
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
